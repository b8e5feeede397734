"""The page in a real browser: keys, undo, reload, hostile texts, a server that stops answering."""

import json

import pytest

from llm_backend.people.ballot import Ballot
from llm_backend.people.pairs import Question, distinct
from llm_backend.people.server import Page
from llm_backend.people.sources import Fixed
from tests.support import browser
from tests.support.voting import ballot

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed"),
]
PAIR, DONE = "!at('pair').hidden && !busy", "!at('empty').hidden"
RUN = "document.title = 'taken'"
HOSTILE = f'<img src=x onerror="{RUN}"><script>{RUN}</script>\n</div>&amp; \u202egnp'


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def enter(tab, address, name):
    tab.open("about:blank")
    tab.until("location.href == 'about:blank'")
    tab.open(address)
    tab.until("typeof at == 'function' && !at('enter').hidden")
    tab.run(f"at('name').value = {json.dumps(name)}")
    tab.click("#enter [type=submit]")


def press(tab, key):
    """Press a key when the page takes one, and wait for the answer."""
    tab.until("!busy && Date.now() - since > PAUSE")
    before = tab.run("at('progress').textContent + ticket")
    tab.press(key)
    tab.until(f"!busy && at('progress').textContent + ticket != {json.dumps(before)}")


def test_every_key_votes_and_undo_takes_back(tab, tmp_path):
    votes = ballot(tmp_path, 6)
    with Page(votes, 0).running() as address:
        enter(tab, address, "Ann")
        tab.until(PAIR)
        for key in ("ArrowLeft", "ArrowRight", "t", "b", "s"):
            press(tab, key)
        assert [vote.winner for vote in votes.votes.votes] == ["left", "right", "tie", "tie (bothbad)"]
        shown = tab.run("[at('prompt').textContent, at('left').textContent, at('right').textContent]")
        press(tab, "u")
        press(tab, "u")
        assert [vote.winner for vote in votes.votes.votes] == ["left", "right", "tie"]
        assert "Ann · 3 voted · 3 left" in tab.text()
        for key in ("ArrowLeft", "T", "s"):
            press(tab, key)
        tab.until(DONE)
        assert "All pairs are done" in tab.text() and shown
        press(tab, "u")
        tab.until(PAIR)
        tab.until("Date.now() - since > PAUSE")
        tab.press("x")  # no key of the page
        tab.click("[data-choice=right]")
        tab.until(DONE)
    assert [vote.winner for vote in votes.votes.votes] == ["left", "right", "tie", "left", "tie", "right"]
    assert {vote.voter for vote in votes.votes.votes} == {"Ann"}


def test_a_page_loaded_again_keeps_its_voter_and_its_pair(tab, tmp_path):
    with Page(ballot(tmp_path, 6), 0).running() as address:
        enter(tab, address, "Ann")
        tab.until(PAIR)
        before = tab.run("[ticket, at('left').textContent]")
        tab.run("window.old = true")
        tab.reload()
        tab.until("!window.old && typeof at == 'function' && " + PAIR)
        assert tab.run("[ticket, at('left').textContent]") == before


def test_texts_are_shown_as_text(tab, tmp_path):
    asked = distinct([Question.of(HOSTILE, (HOSTILE + "1", HOSTILE + "2"), ("a", "b"))], "test")
    with Page(Ballot(Fixed(asked), tmp_path / "votes.jsonl"), 0).running() as address:
        enter(tab, address, "<b>Ann</b>")
        tab.until(PAIR)
        assert tab.run("at('prompt').textContent") == HOSTILE
        assert tab.run("document.querySelectorAll('.text *, #progress *').length") == 0
        assert tab.run("document.title") == "Which reply is better?"
        assert "<b>Ann</b> · 0 voted" in tab.text()
        # what the page may not do, even if a text were run: nothing but its own files and calls
        assert tab.run("fetch('https://example.org').then(() => 'sent', () => 'refused')") == "refused"
        tab.run(f"document.body.append(Object.assign(document.createElement('script'), {{text: {RUN!r}}}))")
        assert tab.run("document.title") == "Which reply is better?"


def test_a_second_ann_is_asked_whether_she_is_the_first(tab, tmp_path):
    votes = ballot(tmp_path, 3)
    votes.enter("Ann", sure=False)
    with Page(votes, 0).running() as address:
        enter(tab, address, "ann")
        tab.until("!at('taken').hidden")
        assert "Ann is voting here already" in tab.text() and tab.run("at('pair').hidden")
        tab.click("#sure")
        tab.until(PAIR)
    assert len(votes.voters.all) == 1


def test_a_server_that_stops_answering_is_told_and_the_vote_is_sent_again(tab, tmp_path):
    votes = ballot(tmp_path, 3)
    page = Page(votes, 0)
    with page.running() as address:
        enter(tab, address, "Ann")
        tab.until(PAIR)
        port = page._socket.getsockname()[1]
    tab.until("!busy && Date.now() - since > PAUSE")
    tab.press("ArrowLeft")
    tab.until("!at('trouble').hidden")
    assert "The server does not answer. Your last vote is not saved yet" in tab.text()
    with Page(ballot(tmp_path, 3), port).running():
        tab.until("at('trouble').hidden && " + PAIR)
        assert "Ann · 1 voted · 2 left" in tab.text()


def test_an_address_without_its_key_is_told(tab, tmp_path):
    with Page(ballot(tmp_path), 0).running() as address:
        for wrong, said in (
            (address.split("#")[0], "has no key"),
            (address + "x", "key of this page is not"),
        ):
            tab.open("about:blank")
            tab.until("location.href == 'about:blank'")
            tab.open(wrong)
            if "no key" not in said:
                tab.until("typeof at == 'function' && !at('enter').hidden")
                tab.run("at('name').value = 'Ann'")
                tab.click("#enter [type=submit]")
            tab.until("typeof at == 'function' && !at('trouble').hidden")
            assert said in tab.text()


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_window(tab, tmp_path, width, dark):
    long = "word " * 400 + "x" * 500
    asked = distinct([Question.of(long, (long + "1", "short"), ("a", "b"))], "test")
    tab.look(width, 800, dark, touch=width < 500)
    with Page(Ballot(Fixed(asked), tmp_path / "votes.jsonl"), 0).running() as address:
        enter(tab, address, "Ann")
        tab.until(PAIR)
        assert tab.run("document.documentElement.scrollWidth") <= width
        bottoms = tab.run(
            "[...document.querySelectorAll('nav button')].map(b => b.getBoundingClientRect().bottom)"
        )
        assert max(bottoms) <= 800  # the choices stay in sight
        sides = tab.run("['left', 'right'].map(s => at(s).getBoundingClientRect().left)")
        assert (sides[0] < sides[1]) == (width > 500)
        ground = tab.run("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 200) == dark
