"""What the command lines write: one printable line, whatever the message holds."""

import os
import signal
import subprocess
import sys

import pytest

from pgames.terminal import one_line, printable

INTERRUPTED = """
import os, signal, time
from pgames.terminal import prepare
prepare()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    print("cleaned up")
"""
VOTES = "left,right,winner\nna\u00efve,\x1b[31mred,left\n\x1b[31mred,c,left\nc,na\u00efve,left\n"


def test_a_message_is_one_printable_line():
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    long = one_line("x" * 5000 + " the end")
    assert len(long) < 1010 and long.endswith("the end") and " ... " in long


def test_letters_of_every_language_are_printable():
    assert printable("naïve 你好 🙂") == "naïve 你好 🙂"
    assert printable("right\u202eleft") == "right\\u202eleft"


def test_a_second_interrupt_does_not_end_the_clean_up_of_the_first():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")
    plain = INTERRUPTED.replace("prepare()\n", "\n").replace("import prepare", "import one_line")
    without = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, timeout=300)
    assert without.returncode == -signal.SIGINT and "Traceback" in without.stderr


ENDED = """
import os, signal, sys, time
from pathlib import Path
from pgames.files import atomic
from pgames.terminal import end_in_order
end_in_order()
with atomic(sys.argv[1]) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(1)
"""


def test_a_process_that_is_ended_cleans_up_in_one_line(tmp_path):
    command = [sys.executable, "-c", ENDED, str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 143 and done.stdout == "" and list(tmp_path.iterdir()) == []
    assert done.stderr == "ended by SIGTERM; every file that was written is complete.\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_of_any_text_are_shown_on_any_terminal(encoding, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("rich")
    (tmp_path / "votes.csv").write_text(VOTES, encoding="utf-8")
    command = [sys.executable, "-m", "pgames", "solve", str(tmp_path / "votes.csv"), "--rounds", "2"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert "\x1b" not in shown and "\\x1b[31mred" in shown
    assert ("na\\xefve" if encoding == "ascii" else "naïve") in shown


LOST = """
import ctypes, os, signal, sys, time
from pgames.terminal import end_in_order, prepare
prepare()
end_in_order()
number = int(sys.argv[1])

@ctypes.CFUNCTYPE(None)
def called():  # as the compiler calls back
    os.kill(os.getpid(), number)
    time.sleep(0.01)

try:
    called()
    time.sleep(20)
except BaseException as error:
    print(type(error).__name__)
    raise SystemExit(128 + number)
print("went on")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_in_a_callback_of_the_compiler_is_answered(number):
    command = [sys.executable, "-c", LOST, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    raised = {signal.SIGINT: "KeyboardInterrupt\n", signal.SIGTERM: "SystemExit\n"}[number]
    assert (done.returncode, done.stdout) == (128 + number, raised)
    assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 1


# numpy, as the first import of the library, is where Ctrl-C comes
EARLY = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(1)\n"


@pytest.mark.parametrize("module", ["pgames", "llm_backend"])
def test_ctrl_c_while_a_command_imports_is_told_in_one_line(module, tmp_path):
    (tmp_path / "numpy.py").write_text(EARLY, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH"), os.getcwd()])])
    command = [sys.executable, "-m", module, "--help"]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path.parent
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "stopped before the command began.\n"
    of_a_program = [sys.executable, "-c", "import pgames", "--help"]
    usual = subprocess.run(of_a_program, capture_output=True, text=True, timeout=300, env=environment)
    assert "KeyboardInterrupt" in usual.stderr


def test_a_closed_standard_output_is_told_before_the_work():
    pytest.importorskip("typer")
    command = f"{sys.executable} -m pgames solve cyclic:3 >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr == "pgames: the standard output is closed: send it to a file, or to /dev/null.\n"
