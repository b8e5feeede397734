# ruff: noqa: E501 (programs on one line)
"""Programs that cheat do not pass, and programs that do harm do none; honest programs pass."""

import os
import subprocess
import sys
import tempfile
import time
import warnings

import pytest

from llm_backend import judges
from llm_backend.judges import programs

TESTS = """
import math
cases = [(2, 3, 5), (-1, 1, 0), (10**20, 1, 10**20 + 1)]
for a, b, c in cases:
    assert add(a, b) == c
assert all(add(a, b) == c for a, b, c in cases)
assert len({add(a, b) for a, b, _ in cases}) == 3
assert list(map(add, [1, 2], [3, 4])) == [4, 6]
assert all(x == y for x, y in zip(map(add, [1, 2], [3, 4]), [4, 6], strict=True))
assert math.isclose(add(.5, .25), .75)
assert sorted([add(3, 3), add(1, 1)]) == [2, 6]
assert isinstance(add(1, 1), int)
"""
WRONG = "\ndef add(a, b):\n    return 0\n"
ALWAYS = """
class Always(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return id(self)
    def __lt__(self, other): return True
def add(a, b): return Always()
"""
CHEATS = {
    "exec replaced": "import builtins; builtins.exec = lambda *a: None" + WRONG,
    "compile replaced": "import builtins; c = compile; builtins.compile = lambda *a, **k: c('', '', 'exec')"
    + WRONG,
    "all builtins replaced": "import builtins\nfor n in ('all', 'len', 'list', 'map', 'zip', 'sorted', 'isinstance',"
    " '__import__'):\n    setattr(builtins, n, lambda *a, **k: True)" + WRONG,
    "builtins shadowed": "all = len = list = map = zip = sorted = isinstance = set = lambda *a, **k: True"
    + WRONG,
    "AssertionError replaced": "import builtins; builtins.AssertionError = AssertionError = Exception"
    + WRONG,
    "__builtins__ replaced": "__builtins__ = {'all': lambda x: True}" + WRONG,
    "frames read": "import sys, os\nf = sys._getframe()\nwhile f:\n    for v in list(f.f_locals.values()):\n"
    "        if isinstance(v, str): os.write(1, v.encode()); os.write(2, v.encode())\n"
    "    f = f.f_back\nos._exit(0)",
    "always equal": ALWAYS,
    "always equal, no number": ALWAYS.replace("(int)", ""),
    "a named tuple that is always equal": "import collections\nclass T(collections.namedtuple('T', 'x')):\n"
    "    __eq__ = lambda s, o: True\n    __iter__ = lambda s: iter([5])\n    __hash__ = lambda s: 1\n"
    "add = lambda a, b: T(1)",
    "a text that is always equal": "class S(str):\n    __eq__ = lambda s, o: True\n    __hash__ = lambda s: 1\n"
    "add = lambda a, b: S('5')",
    "reflected equality": "class A:\n    def __radd__(s, o): return o\n    __eq__ = lambda s, o: True\n"
    "add = lambda a, b: A()",
    "metaclass": "class M(type):\n    __eq__ = lambda s, o: True\n    __hash__ = lambda s: 1\n"
    "class C(metaclass=M): pass\nadd = lambda a, b: C",
    "exit 0": "import os; os._exit(0)",
    "exit 42 when called": "import os\ndef add(a, b): os._exit(42)",
    "SystemExit when called": "def add(a, b): raise SystemExit(42)",
    "StopIteration when called": "def add(a, b): raise StopIteration",
    "GeneratorExit when called": "def add(a, b): raise GeneratorExit",
    "own StopIteration": "class E(StopIteration): pass\ndef add(a, b): raise E",
    "forged output": "import sys, os\nfor fd in range(3): os.write(fd, b'\"passed\"')\n"
    "print('\"passed\"'); sys.__stderr__.write('passed'); os._exit(0)",
    "every descriptor written": "import os\nfor fd in range(256):\n    for t in (b'\"passed\"', b'\\0'*7 + b'\\x02[]'):\n"
    "        try: os.write(fd, t)\n        except OSError: pass\nos._exit(42)",
    "descriptors of others": "import os, glob\nfor p in glob.glob('/proc/*/fd/*'):\n"
    "    try:\n        with open(p, 'wb', 0) as f: f.write(b'\"passed\"')\n    except OSError: pass" + WRONG,
    "memory of others": "import os\nfor p in (os.getppid(), os.getppid() + 2):\n    try: open(f'/proc/{p}/mem', 'r+b')\n"
    "    except OSError: continue\n    raise SystemExit" + WRONG,
    "atexit": "import atexit, os; atexit.register(os._exit, 42)" + WRONG,
    "threads": "import threading, os, time\nthreading.Thread(target=lambda: (time.sleep(.05), os._exit(42))).start()"
    + WRONG,
    "settrace": "import sys\ndef t(f, e, a):\n    f.f_globals['add'] = lambda a, b: a + b if 0 else 0\n    return t\n"
    "sys.settrace(t)" + WRONG,
    "gc": "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ in ('Peer', 'Channel'):\n"
    "        try: o.send(['gave', True, []])\n        except Exception: pass\n"
    "    if isinstance(o, dict) and 'PASSED' in o: o['PASSED'] = 1; o['_tests'] = None" + WRONG,
    "import hooks": "import sys\nclass F:\n    def find_spec(self, *a): return None\n    isclose = lambda *a: True\n"
    "sys.meta_path.insert(0, F()); sys.modules['math'] = F(); math = F()" + WRONG,
    "sitecustomize and modules in the folder": "for n in ('sitecustomize', 'usercustomize', 'math', 'json', 'ast'):\n"
    "    open(n + '.py', 'w').write('import os; os._exit(42)')" + WRONG,
    "json patched": "import json, os\njson.loads = lambda s: ['call', 0]\njson.dumps = lambda o: '[\"gave\", true, []]'"
    + WRONG,
    "operator and peer patched": "import sys, operator\nm = sys.modules['llm_backend.isolation.peer']\n"
    "m.Peer.serve = lambda self, message: self._channel.send(['gave', True, []])" + WRONG,
    "ctypes": "import ctypes\nl = ctypes.CDLL(None)\nl.prctl(22, 0)\nl.write(1, b'\"passed\"', 8); l._exit(42)",
    "hostile exception": "class E(Exception):\n    def __str__(self): raise SystemExit(42)\n    __repr__ = __str__\n"
    "def add(a, b): raise E",
    "hostile exception at start": "class E(Exception):\n    def __str__(self): import os; os._exit(42)\nraise E",
    "AssertionError of its own": "def add(a, b): raise AssertionError",
    "huge output": "import sys\nwhile True: sys.stdout.write('\"passed\"' * 10**6)",
    "a value too large": "def add(a, b): return 'x' * (1 << 25)",
    "a deep value": "def add(a, b):\n    x = []\n    for _ in range(10**5): x = [x]\n    return x",
    "a cyclic value": "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
    "a frame of 2^63 bytes": "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'\\x7f' + b'\\xff' * 64)\n"
    "    except OSError: pass",
    "handles out of range": "import sys\nm = sys.modules['llm_backend.isolation.peer']\n"
    "m.Peer._handle = lambda s, v: ['yours', -1]\nadd = lambda a, b: add",
    "orders to the tests": "import sys\nm = sys.modules['llm_backend.isolation.peer']\nm.Peer.serve = lambda s, x: "
    "s._channel.send(['do', 'getattr', [['handle', ['yours', 0]], '__globals__'], {}])" + WRONG,
    "loop": "while True: pass",
    "sleep": "import time\ndef add(a, b): time.sleep(99)",
    "stopped": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "signals ignored": "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\nwhile True: pass",
    "memory bomb": "x = []\nwhile True: x.append(bytearray(1 << 24))",
    "slow number": "add = lambda a, b: 7 ** 10 ** 8",
    "recursion": "def add(a, b): return add(a, b)",
    "crash": "import ctypes; ctypes.string_at(0)",
    "thread bomb": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,)).start()",
    "regular expression": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
}
BOMBS = {
    "fork bomb": "import os\nwhile True: os.fork()",
    "daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        while True: time.sleep(1)\n    os._exit(0)",
    "a fork that makes files": "import os\nif os.fork() == 0:\n    os.setsid()\n    n = 0\n    while True:\n"
    "        open(f'{n}', 'w').close(); n += 1",
    "a shell": "import subprocess; subprocess.Popen(['sleep', '98765'], start_new_session=True)",
    "multiprocessing": "import multiprocessing as m, time\nm.Process(target=time.sleep, args=(99,)).start()",
}
HONEST = {
    "plain": "def add(a, b):\n    return a + b",
    "lambda": "add = lambda a, b: a + b",
    "partial": "import functools, operator; add = functools.partial(operator.add)",
    "fenced": "Here:\n```python\ndef add(a, b):\n    return a + b\n```\nDone.",
    "noisy": "print('x' * 10**6)\ndef add(a, b):\n    print(a); import sys; sys.stderr.write('y'); return a + b",
    "callable object": "class Add:\n    def __call__(self, a, b): return a + b\nadd = Add()",
    "file": "open('x', 'w').write('1')\ndef add(a, b): return a + b * int(open('x').read())",
    "threads": "from concurrent.futures import ThreadPoolExecutor as T\ndef add(a, b):\n"
    "    with T(4) as t: return t.submit(lambda: a + b).result()",
    "randomness": "import random, os, time, datetime\ndef add(a, b): random.random(); os.urandom(3); return a + b",
    "asyncio": "import asyncio\nasync def go(a, b): await asyncio.sleep(0); return a + b\n"
    "def add(a, b): return asyncio.run(go(a, b))",
}


@pytest.fixture(scope="module")
def score():
    return judges.passes(TESTS, seconds=3.0)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Where the folders of programs are made, to see that none is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def ours():
    """The processes that were started from this one."""
    shown = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True).stdout
    return [line for line in shown.splitlines() if "llm_backend.isolation" in line or "98765" in line]


@pytest.mark.parametrize("name", HONEST)
def test_honest_programs_pass(score, folder, name):
    assert score("", HONEST[name]) == 1.0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", CHEATS)
def test_cheats_do_not_pass(score, folder, name):
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert score("", CHEATS[name]) == 0.0
    assert time.monotonic() - start < 15
    assert list(folder.iterdir()) == [] and not ours()


@pytest.mark.skipif(sys.platform != "linux", reason="filters of the Linux kernel")
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("kernel", [True, False])
def test_no_process_and_no_file_is_left(monkeypatch, folder, name, kernel):
    """Also where the kernel has no filters: then every descendant is found and ended."""
    if not kernel:
        if name == "fork bomb":
            pytest.skip("not without a filter: it would take the machine")
        off = "from llm_backend.isolation import limits; limits.confine = lambda folder: None; "
        monkeypatch.setattr(programs, "START", programs.START.replace("del sys", off + "del sys"))
    score = judges.passes(TESTS, seconds=1.0)
    assert score("", BOMBS[name] + WRONG) == 0.0
    assert list(folder.iterdir()) == [] and not ours()


@pytest.mark.skipif(sys.platform != "linux", reason="filters of the Linux kernel")
def test_a_program_reaches_nothing_outside_its_folder(folder, tmp_path):
    outside, pid = tmp_path.parent / "outside", os.getpid()
    outside.write_text("kept")
    tests = "assert tried == 'kept'"
    for harm in (
        f"open({str(outside)!r}, 'w')",
        f"os.remove({str(outside)!r})",
        f"os.rename({str(outside)!r}, 'x')",
        f"os.chmod({str(outside)!r}, 0)",
        f"os.truncate({str(outside)!r}, 0)",
        f"os.link({str(outside)!r}, 'x')",
        f"os.mkdir({str(outside)!r} + '2')",
        "open('/dev/shm/pgames-attack', 'w')",
        f"os.kill({pid}, 0)",
        "os.kill(os.getppid(), 9)",
        "os.kill(-1, 0)",
        "os.killpg(0, 0)",
        f"os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
        f"os.sched_setaffinity({pid}, {{0}})",
        f"resource.prlimit({pid}, resource.RLIMIT_CPU, (9999, 9999))",
        f"open('/proc/{pid}/mem', 'rb').read(0)",
        f"os.readlink('/proc/{pid}/fd/0')",
        f"open('/proc/{pid}/environ').read()",
        "os.readlink(f'/proc/{os.getppid()}/fd/1')",
        "open(f'/proc/{os.getppid()}/fd/1', 'w')",
        f"os.pidfd_open({pid})",
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "os.fork()",
        "os.setsid()",
        "os.execv('/bin/true', ['true'])",
        "os.memfd_create('x')",
        f"fcntl.fcntl(0, fcntl.F_SETOWN, {pid})",
    ):
        program = (
            f"import os, socket, resource, fcntl\ntried = 'done'\ntry: {harm}\nexcept OSError: tried = 'kept'"
        )
        assert judges.passes(tests)("", program) == 1.0, harm
    assert outside.read_text() == "kept"


def test_too_many_files_end_a_program(folder):
    for program in (
        "n = 0\nwhile True:\n    open(f'{n}', 'w').close(); n += 1",
        "n = 0\nwhile True:\n    open(f'{n}', 'wb').write(bytes(1 << 20)); n += 1",
        "import os\nwhile True: os.mkdir('d'); os.chdir('d')",
    ):
        start = time.monotonic()
        assert judges.passes("", seconds=60)("", program) == 0.0
        assert time.monotonic() - start < 45 and list(folder.iterdir()) == []
