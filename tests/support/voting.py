"""Votes as a page sends them: to a ballot, or over HTTP to a server."""

import http.client
import json
import threading
import time
from pathlib import Path

from llm_backend import judges
from llm_backend.people.ballot import Ballot
from llm_backend.people.pairs import Question, distinct
from llm_backend.people.server import Page
from llm_backend.people.sources import Fixed, open_source

RULE = judges.Rule(judges.rules.shorter)


def questions(count, names=("base", "tuned")):
    return [Question.of(f"prompt {i}", (f"a{i}", f"b{i}"), names) for i in range(count)]


def ballot(folder, count=6, **options):
    return Ballot(Fixed(distinct(questions(count), "test")), folder / "votes.jsonl", **options)


def cast(ballot, who, choice):
    """Vote on the shown pair; returns what was shown."""
    view = ballot.view(who)
    ballot.vote(who, view.ticket, choice(view) if callable(choice) else choice)
    return view


def shorter(view) -> str:
    prompt, left, right = view.texts
    return {1.0: "left", 0.0: "right", 0.5: "tie"}[float(RULE.prefer([prompt], [left], [right])[0])]


class Voter(threading.Thread):
    """Votes for the shorter reply on whatever the run in a folder asks, until it is stopped."""

    def __init__(self, folder: Path):
        super().__init__(daemon=True)
        self.folder, self.votes, self.stopped = folder, 0, False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stopped = True
        self.join()

    def run(self):
        while not self.stopped and not (self.folder / "people").is_dir():
            time.sleep(0.05)
        place = open_source([self.folder])
        ballot = Ballot(place.source, place.votes)
        who = ballot.enter("Ann", sure=True)
        while not self.stopped:
            if ballot.view(who).texts is None:
                time.sleep(0.02)
                continue
            cast(ballot, who, shorter)
            self.votes += 1


class Client:
    """Requests to the server of a `Page`, by default those of its own page."""

    def __init__(self, address):
        head, _, self.key = address.partition("#")
        self.port = int(head.rstrip("/").rpartition(":")[2])
        self.own = {
            "Host": f"127.0.0.1:{self.port}",
            "Origin": f"http://127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "X-Vote-Key": self.key,
        }

    def send(self, method, path, body=b"", **changes):
        """(status, headers, body); a header that is None is not sent."""
        names = {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {name: value for name, value in {**self.own, **names}.items() if value is not None}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        found = answer.status, dict(answer.headers), answer.read()
        connection.close()
        return found

    def post(self, name, body, **changes):
        """(status, answer) of a call."""
        status, _, said = self.send("POST", f"/api/{name}", json.dumps(body).encode(), **changes)
        return status, json.loads(said)


def served(folder, count=6, **options):
    return Page(ballot(folder, count, **options), 0)
