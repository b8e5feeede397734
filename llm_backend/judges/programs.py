"""A score for programs: whether the Python code of a response passes the tests of its prompt."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

BLOCK = re.compile(r"```(?:python|py)?[^\S\n]*\n(.*?)```", re.DOTALL)

# The child process sets its limits, runs the program and the tests, then writes the proof that all ran.
RUNNER = """
import sys
proof, code, tests, seconds, memory = eval(sys.stdin.read())
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass
def run(proof=proof, code=code, tests=tests, write=sys.__stderr__.write):
    names = {"__name__": "program"}
    exec(compile(code, "program", "exec"), names)
    exec(compile(tests, "tests", "exec"), names)
    write(proof)
del proof, code, tests
run()
"""


def passes(
    tests: Mapping[str, str] | str, seconds: float = 5.0, memory: int = 1 << 30
) -> Callable[[str, str], float]:
    """1 if the code of the response and then `tests[prompt]` (assertions) run without an error, else 0.

    Parameters
    ----------
    tests : Python source per prompt, or one for all.
    seconds : limit on CPU and wall time. memory : limit on the address space, in bytes.

    The code is the last ``` block, or the whole response. It runs in a fresh isolated interpreter, in an
    empty folder, with no environment and only the standard library; a program that exits early does not
    pass. These are limits, not a sandbox: run programs of an untrusted model in a container.
    Rule(passes(...), workers=4) runs several at once.

    Raises ValueError for limits out of range, OSError when no process can be started; the score raises
    KeyError for a prompt without tests.
    """
    if not seconds > 0 or memory < 1 << 26:
        raise ValueError(f"passes: need seconds > 0 and memory >= {1 << 26}, got {seconds} and {memory}.")
    if not _runs("", "", max(seconds, 60.0), memory):  # else every program would silently fail
        raise OSError(
            f"passes: {sys.executable} cannot run an empty program within {memory} bytes: raise memory, or "
            "repair the interpreter."
        )

    def score(prompt: str, response: str) -> float:
        source = tests if isinstance(tests, str) else tests[prompt]
        blocks = BLOCK.findall(response)
        return float(_runs(blocks[-1] if blocks else response, source, seconds, memory))

    rules = json.dumps([tests if isinstance(tests, str) else sorted(tests.items()), seconds, memory])
    score.__qualname__ = (
        f"passes({hashlib.sha256(rules.encode()).hexdigest()[:12]})"  # identifies the rule for a cache
    )
    return score


def _runs(code: str, tests: str, seconds: float, memory: int) -> bool:
    proof = secrets.token_hex(16)
    job = repr((proof, code, tests, int(seconds) + 1, memory)).encode("utf-8", "backslashreplace")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", RUNNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        try:
            process.communicate(job, timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            _kill(process)
        errors.seek(0, os.SEEK_END)
        errors.seek(max(0, errors.tell() - len(proof)))
        return process.returncode == 0 and errors.read() == proof.encode()


def _kill(process: subprocess.Popen) -> None:
    """Kill the program and every process of its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
