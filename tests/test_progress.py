"""The progress bar: only for people, only after a while, and gone at the end."""

import io
import sys

import pytest

from pgames import progress as module
from pgames.progress import progress, silent, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def watch(monkeypatch, patience=-1.0):
    """A terminal in the place of the standard error; called in the test, as pytest sets its own before."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(module, "PATIENCE", patience)
    return stream


def test_a_bar_is_drawn_after_patience_is_lost(monkeypatch):
    screen = watch(monkeypatch)
    assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    assert "counting" in screen.getvalue()
    assert screen.getvalue().endswith(("\x1b[2K", "\x1b[?25h"))  # the line is cleared, the cursor is back


def test_quick_work_and_work_that_nobody_watches_draw_nothing(monkeypatch):
    screen = watch(monkeypatch, patience=60.0)
    assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    blind = io.StringIO()
    monkeypatch.setattr(sys, "stderr", blind)
    with progress("counting", 3) as advance:
        advance(2)
    assert (screen.getvalue() + blind.getvalue()).strip() == ""


def test_the_bar_goes_when_the_work_fails(monkeypatch):
    screen = watch(monkeypatch)
    with pytest.raises(KeyboardInterrupt), progress("counting", 3) as advance:
        advance(1)
        raise KeyboardInterrupt
    assert "counting" in screen.getvalue() and "\x1b[?25h" in screen.getvalue()


def test_without_rich_there_is_no_bar(monkeypatch):
    screen = watch(monkeypatch)
    monkeypatch.setitem(sys.modules, "rich", None)
    assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    assert screen.getvalue() == ""


def test_a_bar_carries_a_note_and_lines_above_it(monkeypatch):
    screen = watch(monkeypatch)
    with progress("cells", 8, done=5) as bar:
        assert bar.watched
        bar(6, "12 a minute")
        bar.print("round 6 [done]")
    assert "6/8" in screen.getvalue() and "12 a minute" in screen.getvalue()
    assert "round 6 [done]" in screen.getvalue()


def test_lines_are_written_where_there_is_no_terminal(monkeypatch):
    blind = io.StringIO()
    monkeypatch.setattr(sys, "stderr", blind)
    with progress("cells", 8) as bar:
        bar(1)
        bar.print("round 1")
    assert not bar.watched and blind.getvalue() == "round 1\n"


def test_a_silent_block_draws_no_bars(monkeypatch):
    screen = watch(monkeypatch)
    with silent():
        assert list(track("abc", "counting", 3)) == ["a", "b", "c"]
    assert screen.getvalue() == ""
    assert list(track("abc", "counting", 3)) and "counting" in screen.getvalue()
