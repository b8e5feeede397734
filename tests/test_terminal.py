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
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")
    plain = INTERRUPTED.replace("prepare()\n", "\n").replace("import prepare", "import one_line")
    without = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, timeout=60)
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 143 and done.stdout == "" and list(tmp_path.iterdir()) == []
    assert done.stderr == "ended by SIGTERM; every file that was written is complete.\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_of_any_text_are_shown_on_any_terminal(encoding, tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("rich")
    (tmp_path / "votes.csv").write_text(VOTES, encoding="utf-8")
    command = [sys.executable, "-m", "pgames", "solve", str(tmp_path / "votes.csv"), "--rounds", "2"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=100)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode(encoding)
    assert "\x1b" not in shown and "\\x1b[31mred" in shown
    assert ("na\\xefve" if encoding == "ascii" else "naïve") in shown
