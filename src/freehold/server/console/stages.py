"""The way of a workflow from rented to owned, and the one thing to do next. Pure: out of what the API said."""

from __future__ import annotations

from typing import Any

import msgspec

WAY = ("rented", "evaluated", "tuned", "shadow", "canary", "owned")
"""What people follow; a move that was only begun is still rented."""
_KINDS = {"refused": "warn", "rolled_back": "bad"}
ENDED = ("refused", "rolled_back")
_LIVE = ("shadow", "canary", "owned")
_UNFIT = ("exploratory", "immature")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do next: a link, or a form that is sent to `post` with `fields`."""

    word: str
    why: str = ""
    href: str = ""
    post: str = ""
    kind: str = ""


def place(move: dict[str, Any] | None) -> str:
    """Where on the way a workflow stands; `refused` and `rolled_back` are no places on it."""
    if move is None or move["stage"] == "observed":
        return "rented"
    return str(move["stage"])


def kind_of(stage: str) -> str:
    """How a stage that ended reads."""
    return _KINDS.get(stage, "plain")


def next_of_move(move: dict[str, Any], *, may: bool) -> Step:
    """The one thing to do next about a move."""
    page = f"/moves/{move['id']}"
    if move["waiting"]:
        why = f"the step to {move['waiting']} waits for a person"
        if may:
            return Step(word=f"Approve {move['waiting']}", why=why, post=f"{page}/approve", kind="main")
        return Step(word="See what waits", why=why, href=page)
    if move["held"]:
        why = f"held: {move['held']}"
        return Step(word="See why it is held", why=why, href=f"{page}#act", kind="main" if may else "")
    if move["stage"] in ENDED:
        return Step(word="See why it ended", href=page)
    if move["stage"] == "owned":
        return Step(word="See that it holds", href=page)
    if move["stage"] in _LIVE:
        return Step(word="See the evidence", href=page)
    return Step(word="See it being prepared", href=page)


def next_of_workflow(shown: dict[str, Any], move: dict[str, Any] | None, *, may: bool) -> Step:
    """The one thing to do next about a workflow."""
    page = f"/workflows/{shown['workflow']['id']}"
    if move is not None and move["stage"] not in ENDED:
        return next_of_move(move, may=may)
    maturity = shown["workflow"]["maturity"]
    verdict = maturity["verdict"] if maturity else ""
    if not maturity:
        return Step(word="Discover again", why="its maturity was not measured yet", href="/workflows#discover")
    if verdict in _UNFIT:
        return Step(word="See why it is not settled", why=maturity["reasons"][0], href=f"{page}#maturity")
    again = "Start another move" if move is not None else "Start a move"
    return Step(word=again if may else "Look at it", href=f"{page}#start" if may else page, kind="main" if may else "")


def newest(moves: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The newest move of each workflow, of moves newest first."""
    found: dict[str, dict[str, Any]] = {}
    for one in moves:
        found.setdefault(one["workflow"], one)
    return found
