"use strict";
// The key stands behind # in the address, which is sent to nobody; texts are only ever set as text.
const KEY = location.hash.slice(1);
const WAIT = 10000; // ms for an answer of the server
const AGAIN = 2000; // ms between attempts, and between two looks for a new pair
const BEAT = 5000; // ms between two looks while a pair is shown
const PAUSE = 200; // ms in which a new pair takes no key, so that one press is one vote
const KEYS = { ArrowLeft: "left", ArrowRight: "right", t: "tie", b: "tie (bothbad)", s: "skip" };

const at = (id) => document.getElementById(id);
let voter = sessionStorage.getItem("voter") || "";
let ticket = "";
let busy = false;
let since = 0;

class Refusal extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function once(name, body) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), WAIT);
  try {
    const answer = await fetch("/api/" + name, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Vote-Key": KEY },
      body: JSON.stringify(body),
      signal: stop.signal,
    });
    const said = await answer.json();
    if (!answer.ok) throw new Refusal(said.reason, said.message);
    return said;
  } finally {
    clearTimeout(timer);
  }
}

// Ask until there is an answer; meanwhile the page says what is wrong. A vote that is sent twice counts once.
async function ask(name, body) {
  for (;;) {
    try {
      const said = await once(name, body);
      tell("trouble", "");
      return said;
    } catch (error) {
      if (error instanceof Refusal && error.reason !== "server") throw error;
      const lost = name === "vote" ? " Your last vote is not saved yet." : "";
      tell(
        "trouble",
        error instanceof Refusal
          ? error.message + " This page tries again."
          : "The server does not answer." + lost + " This page tries again; if the server was stopped, start it again."
      );
      await pause(AGAIN);
    }
  }
}

function tell(place, text) {
  at(place).textContent = text;
  at(place).hidden = !text;
}

function show(state) {
  const texts = state.texts;
  tell("note", "");
  at("enter").hidden = true;
  at("pair").hidden = !texts;
  at("empty").hidden = Boolean(texts);
  at("choices").hidden = false;
  const others = state.voters > 1 ? ` · ${state.everyone} votes by ${state.voters} voters` : "";
  tell("progress", `${state.name} · ${state.mine} voted · ${state.left} left${others}`);
  if (texts && state.ticket !== ticket) {
    for (const side of ["prompt", "left", "right"]) {
      at(side).textContent = texts[side];
      at(side).scrollTop = 0;
    }
    window.scrollTo(0, 0);
    since = Date.now();
  }
  if (!texts) {
    at("empty-title").textContent = state.growing ? "No pair is waiting" : "All pairs are done";
    at("empty-text").textContent = state.growing
      ? "New pairs appear here by themselves when the run asks again."
      : "Thank you. The votes are saved, and this page can be closed.";
  }
  tell("again", state.again);
  ticket = state.ticket;
  for (const button of document.querySelectorAll("[data-choice]")) button.disabled = !texts;
  at("undo").disabled = !state.undo;
}

function entrance() {
  sessionStorage.removeItem("voter");
  voter = ticket = "";
  for (const id of ["pair", "empty", "choices"]) at(id).hidden = true;
  tell("progress", "");
  at("enter").hidden = false;
  at("name").focus();
}

// One request at a time; what the server refuses is said, and the pair it shows now is asked for.
async function act(name, body) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    show(await ask(name, body));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.reason === "stranger") {
      entrance();
    } else if (name === "show" || error.reason === "key") {
      tell("trouble", error.message);
    } else {
      show(await ask("show", { voter }));
      tell("note", error.message);
    }
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

async function enter(sure) {
  const name = at("name").value;
  try {
    const state = await ask("enter", { name, sure });
    voter = state.voter;
    sessionStorage.setItem("voter", voter);
    at("taken").hidden = true;
    show(state);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    at("taken").hidden = error.reason !== "taken";
    tell(error.reason === "taken" ? "taken-text" : "trouble", error.message);
  }
}

function vote(choice) {
  if (ticket && !at("choices").hidden && Date.now() - since > PAUSE) act("vote", { voter, ticket, choice });
}

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(false);
});
at("sure").addEventListener("click", () => enter(true));
at("name").addEventListener("input", () => {
  at("taken").hidden = true;
});
for (const button of document.querySelectorAll("[data-choice]")) {
  button.addEventListener("click", () => vote(button.dataset.choice));
}
at("undo").addEventListener("click", () => act("undo", { voter }));
document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || at("choices").hidden) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in KEYS) {
    event.preventDefault();
    vote(KEYS[key]);
  } else if (key === "u" && !at("undo").disabled) {
    event.preventDefault();
    act("undo", { voter });
  }
});

async function beat() {
  for (;;) {
    await pause(ticket ? BEAT : AGAIN);
    if (voter && !busy) await act("show", { voter });
  }
}

if (!KEY) {
  tell("trouble", "The address has no key: open the address that the server printed.");
} else if (voter) {
  act("show", { voter });
} else {
  entrance();
}
beat();
