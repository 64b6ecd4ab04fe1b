"""Annotations: one recorded call after the other, and a person's word on it; by keys alone, and without script."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import urlencode

from freehold.core.errors import BadRequest
from freehold.server.console.ask import Got, named
from freehold.server.console.page import Action, Done, Drawn, File, Page, View

KINDS = (("answer", "What is right?"), ("score", "How good is it?"))
MARKS = (
    (1, "useless"),
    (2, "poor"),
    (3, "half right"),
    (4, "good"),
    (5, "as good as can be"),
)
"""1 to 5 are scores of 0, 0.25, 0.5, 0.75 and 1."""
MOST_SKIPPED = 100
NEWEST = 15


async def index(view: View) -> Drawn:
    """The next call that waits for a word."""
    kind = view.query.get("kind", "answer")
    kind = kind if kind in dict(KINDS) else "answer"
    skipped = view.queries("skip")[-MOST_SKIPPED:]
    wanted = {"workflow": view.query.get("workflow", ""), "run": view.query.get("run", "")}
    queue = await view.ask.look("/api/annotations/queue", kind=kind, skip=skipped, limit=1, **wanted)
    item = queue.data["items"][0] if queue.data and queue.data["items"] else None
    one = Got("")
    if item is not None:
        one = await view.ask.look(named("/api/annotations/records/{}", item["record"]), run=item["run"])
    found = await view.ask.looks(known="/api/workflows", latest=_latest(wanted["workflow"]))
    flows = [(each["workflow"]["id"], each["workflow"]["name"]) for each in found["known"].data or []]
    data = {
        "queue": queue,
        "item": item,
        "one": one,
        "kind": kind,
        "kinds": [(name, words, _here(name, wanted, ())) for name, words in KINDS],
        "later": _here(kind, wanted, (*skipped, item["record"])) if item else "",
        "back": _here(kind, wanted, skipped),
        "first": _here(kind, wanted, ()),
        "skipped": skipped,
        "wanted": wanted,
        "flows": flows,
        "names": dict(flows),
        "marks": MARKS,
        "latest": found["latest"],
        "may_write": view.may("evals:write"),
        "may_read": view.may("bodies:read"),
    }
    given = "".join(f" --{name} {shlex.quote(value)}" for name, value in wanted.items() if value)
    commands = (f"freehold annotations queue --kind {kind}{given}", "freehold annotations import FILE")
    return Drawn("annotations.html", "Annotations", data, commands)


async def say(view: View) -> Done:
    """Take the word on one call, and go on to the next."""
    form = view.form
    kind, record = form.get("kind", "answer"), form.get("record", "")
    line: dict[str, Any] = {"record": record}
    if kind == "score":
        line |= {"score": _score(form.get("mark", "")), "target": form.get("target", "")}
    else:
        line["answer"] = await _right(view)
    if form.get("note"):
        line["note"] = form["note"]
    told = await view.ask.post("/api/annotations", {"who": view.actor.name, "lines": json.dumps(line)})
    if told["refused"]:
        raise BadRequest(f"it was not taken: {told['rejected'][0]['why']}", hint="go back and say it otherwise")
    wanted = {name: form.get(name, "") for name in ("workflow", "run")}
    said = "Kept. Here is the next." if told["new"] else "That was said already."
    return Done(f"/annotations{_here(kind, wanted, view.forms('skip')[-MOST_SKIPPED:])}", said)


async def _right(view: View) -> Any:
    """The answer that the form says is right: one side's, as it is kept, or a new one."""
    form = view.form
    choice = form.get("choice", "")
    if choice == "other":
        if not form.get("answer"):
            raise BadRequest("the right answer is empty", param="answer", hint="write it, or choose one of the two")
        return form["answer"]
    if choice not in ("candidate", "recorded"):
        raise BadRequest("nothing was chosen", param="choice", hint="say which answer is right")
    path = named("/api/annotations/records/{}", form.get("record", ""))
    found = (await view.ask.get(path, run=form.get("item_run", "")))[choice]
    if found is None or found["text"] is None:
        raise BadRequest("that answer is not kept, or not for your role to read", param="choice")
    calls = [{"name": name, "arguments": arguments} for name, arguments in found["tool_calls"]]
    if not calls and found["characters"] > len(found["text"]):
        raise BadRequest("that answer is too long to be taken from a page", hint="freehold annotations import FILE")
    return {"text": found["text"], "tool_calls": calls} if calls else found["text"]


def _score(mark: str) -> float:
    known = {str(number): (number - 1) / (len(MARKS) - 1) for number, _ in MARKS}
    if mark not in known:
        raise BadRequest("nothing was chosen", param="mark", hint="choose 1 to 5")
    return known[mark]


def _here(kind: str, wanted: dict[str, str], skipped: tuple[str, ...]) -> str:
    given = {"kind": kind, **{name: value for name, value in wanted.items() if value}, "skip": skipped}
    return "?" + urlencode(given, doseq=True)


def _latest(workflow: str) -> str:
    given = {"newest": "true", "limit": NEWEST} | ({"workflow": workflow} if workflow else {})
    return f"/api/annotations?{urlencode(given)}"


PAGES = (Page("/annotations", index),)
ACTIONS = (Action("/annotations", say),)
FILES = (File("/annotations/export", "/api/annotations/export", name="annotations.jsonl"),)
