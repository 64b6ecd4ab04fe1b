"""The second act: from a log of rented calls to an owned model that serves, with proof, and back.

Nothing is told to the product but the log: workflows are found without labels, and each rule is fixed before outcomes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import openai
from rich.console import Console
from rich.table import Table

from demo.breaking import release_a_bad_one
from demo.drive import Driver
from demo.instance import Instance
from demo.logs import Log
from freehold.cli.client import Client, segment
from freehold.core.errors import FreeholdError
from freehold.moves.telling import line
from freehold.moves.types import ENDED

RATE = 80.0
"""Live calls a second."""
PATIENCE_SECONDS = 900.0
"""For the whole act: what has not come to a stand by then is told as it is."""
READY = ("shadow", "canary", "owned", *ENDED)
POLL_SECONDS = 0.5
MOST_QUICK = 4
SHORT = {"steps": 16, "batch": 8}
"""What the demo asks of the recipe that writes: minutes of one core. What it must pass is the ordinary rule."""
FIRST_LOOK = 32
"""Calls of the window the model that writes is asked first: a second or two each."""
TOLD = frozenset({"rights", "scorecard", "tuned", "stage", "held", "waiting"})


class Moved(NamedTuple):
    """How it went, for the summary."""

    moves: list[dict[str, Any]]
    rolled_back: bool
    notes: list[str]


class Act:
    """One run of the second act."""

    def __init__(self, console: Console, running: Instance, log: Log, folder: Path) -> None:
        self.console = console
        self.running = running
        self.log = log
        self.folder = folder
        self.client = Client.of(running.home)
        self.names: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.annotated = 0
        self.notes: list[str] = []
        self.deadline = time.monotonic() + PATIENCE_SECONDS

    def play(self, *, lora: bool) -> Moved:
        """Import, discover, move, break, take back."""
        self._import()
        wishes = self._chosen(self._discover(), lora=lora)
        for wish in wishes:
            self._start(wish)
        quick = [one["workflow"] for one in wishes if one["recipe"] != "lora"]
        slow = [one["workflow"] for one in wishes if one["recipe"] == "lora"]
        kept = len(self.log.later) // 3 if slow else 0
        rolled_back = self._classifiers(quick, self.log.later[: len(self.log.later) - kept])
        if slow:
            self._until(None, lambda: self._stage(slow[0]) in READY, "the model that writes was ready to be compared")
            with Driver(self.running.base, self.running.key, self.log.later[-kept:], RATE / 4) as driver:
                self._until(driver, lambda: self._settled(slow), "the model that writes came to a stand")
        return Moved(self._moves(), rolled_back, self.notes)

    def _classifiers(self, quick: list[str], later: Sequence[dict[str, Any]]) -> bool:
        """The quick moves, under live traffic; then one of them is broken. True where it was taken back."""
        self._until(None, lambda: any(self._stage(one) == "shadow" for one in quick), "a candidate was ready")
        with Driver(self.running.base, self.running.key, later, RATE) as driver:
            self._until(driver, lambda: self._settled(quick), "the classifiers came to a stand")
            owned = [one for one in quick if self._stage(one) == "owned"]
            for one in owned:
                self._tell_owned(one)
            return self._break(driver, owned[-1]) if owned else False

    # What was there

    def _import(self) -> None:
        began = time.monotonic()
        told = self.running.freehold("import", str(self.log.history), "--label", "internal")
        self.console.rule("[bold]From rented to owned")
        self.console.print(
            f"Imported {told['new']} calls in {time.monotonic() - began:.1f} s, {told['rejected']} rejected. "
            f"[dim]{self.log.told}; the newer {len(self.log.later)} calls are kept back and sent live.[/]"
        )

    def _discover(self) -> list[dict[str, Any]]:
        """Find the workflows and choose which to move: mature ones, the dearest first."""
        began = time.monotonic()
        self.running.freehold("workflows", "discover")
        found = self.running.freehold("workflows", "list")
        took = time.monotonic() - began
        table = Table(title=f"Workflows, found without labels in {took:.1f} s", title_justify="left")
        for name in ("workflow", "calls", "cost, rented", "answers", "maturity", "verdict"):
            table.add_column(name)
        for one in found:
            known, sums = one["workflow"], one["figures"]
            self.names[known["id"]] = known["name"]
            judged = known["maturity"] or {"score": 0.0, "verdict": "unknown"}
            cost = f"${Decimal(str(sums['cost'])):.2f}"
            row = (known["name"], str(sums["calls"]), cost, known["shape"]["kind"], f"{judged['score']:.2f}")
            table.add_row(*row, judged["verdict"])
        self.console.print(table)
        self.console.print("[dim]Cost: recorded tokens at the list price of their day. Dearest first.[/]")
        return [one["workflow"] for one in found]

    def _chosen(self, found: list[dict[str, Any]], *, lora: bool) -> list[dict[str, Any]]:
        """What to ask for: every workflow in turn, the quick recipes first, and one model that writes at most."""
        rule = {"reference": "annotations"} if self.log.synthetic else {}
        quick: list[dict[str, Any]] = []
        slow: list[dict[str, Any]] = []
        for one in found:
            wish = {"workflow": one["id"], "rule": rule, "recipe": "auto"}
            try:
                told = self.client.post("/api/moves", {**wish, "dry_run": True})
            except FreeholdError as error:
                self._leave(one, error.message)
                continue
            if told["recipe"] == "classifier":
                quick.append({**wish, "recipe": "classifier"})  # named, so that nothing is proposed after a refusal
            elif lora and not slow and one["shape"]["kind"] != "tool":
                slow.append({**wish, "recipe": "lora", "options": SHORT, "first_look": FIRST_LOOK})
            else:
                self._leave(one, f"its recipe is {told['recipe']}; " + ("one is enough here" if lora else "LORA=0"))
        return [*quick[:MOST_QUICK], *slow]

    def _leave(self, workflow: dict[str, Any], why: str) -> None:
        self.console.print(f"[bold]{workflow['name']}[/] stays rented: {why}", highlight=False)

    def _start(self, wish: dict[str, Any]) -> None:
        begun = self.client.post("/api/moves", wish)
        self.seen[begun["workflow"]] = 0
        rule = begun["rule"]
        self.console.print(
            f"[bold]{begun['name']}[/]: {begun['incumbent']} -> {begun['recipe']}; the rule is fixed "
            f"[dim](sha256 {begun['rule_sha256'][:12]}: margin {rule['margin'] * 100:g} points, alpha "
            f"{rule['alpha']:g}, graded by {rule['grader']['kind']} against {rule['reference']})[/]"
        )

    # On the way

    def _until(self, driver: Driver | None, done: Callable[[], bool], what: str) -> bool:
        """Look on until something holds, telling every event; False where it does not in time."""
        while time.monotonic() < self.deadline:
            self._tell(driver)
            if done():
                return True
            time.sleep(POLL_SECONDS)
        self.notes.append(f"It was not so within {PATIENCE_SECONDS:.0f} s that {what}; its rule was not shortened.")
        return False

    def _tell(self, driver: Driver | None) -> None:
        for workflow in self.seen:
            events = self.client.get(f"/api/moves/{segment(workflow)}/events")
            for event in events[self.seen[workflow] :]:
                if event["kind"] in TOLD:
                    told = line(event["kind"], event["content"])
                    self.console.print(f"  [bold]{self.names[workflow]}[/] {told}", highlight=False)
            self.seen[workflow] = len(events)
            self._annotate(workflow, driver)

    def _annotate(self, workflow: str, driver: Driver | None) -> None:
        """Stand in for the person who says what is right where the two differ."""
        if not self.log.synthetic or driver is None:
            return
        wanted = self.client.get(f"/api/moves/{segment(workflow)}/wanted")
        gold = {one: driver.gold.get(one.removeprefix("rec_")) for one in wanted}
        known = {one: answer for one, answer in gold.items() if answer is not None}
        if not known:
            return
        path = self.folder / "annotations.jsonl"
        path.write_text("".join(json.dumps({"record": one, "answer": said}) + "\n" for one, said in known.items()))
        self.running.freehold("annotations", "import", str(path))
        self.annotated += len(known)

    def _moves(self) -> list[dict[str, Any]]:
        return [self.client.get(f"/api/moves/{segment(one)}") for one in self.seen]

    def _settled(self, workflows: Iterable[str]) -> bool:
        """Every one of them is decided."""
        return all(self._stage(one) in (*ENDED, "owned") for one in workflows)

    def _stage(self, workflow: str) -> str:
        return str(self.client.get(f"/api/moves/{segment(workflow)}")["stage"])

    # What serves

    def _tell_owned(self, workflow: str) -> None:
        told = self.client.get(f"/api/moves/{segment(workflow)}")
        measured = told["measured"]
        self.console.print(
            f"\n[green]{self.names[workflow]} is owned[/]: {told['share']:.0%} of its calls go to {told['candidate']}, "
            f"{measured['pairs']} calls compared, difference {measured['difference'] * 100:+.2f} points "
            f"(bound {-told['rule']['margin'] * 100:g}); ten points less would be found in "
            f"{told['detection_calls']} calls, in the median."
        )
        self._answer_live(told["candidate"])

    def _answer_live(self, target: str) -> None:
        """One call as the application makes it, nothing changed but the base URL, answered by the owned model."""
        one = openai.OpenAI(api_key=self.running.key, base_url=f"{self.running.base}/v1", max_retries=0)
        for call in self.log.later:
            raw = one.chat.completions.with_raw_response.create(**call["request"])
            if raw.headers.get("x-freehold-target") == target:
                asked = call["request"]["messages"][-1]["content"]
                said = raw.parse().choices[0].message.content
                self.console.print(
                    f"  asked for {call['request']['model']!r}: {asked[:90]!r} -> {said!r}", highlight=False
                )
                return

    def _break(self, driver: Driver, workflow: str) -> bool:
        """Release a bad model on purpose; True where it was taken back by itself."""
        told = self.client.get(f"/api/moves/{segment(workflow)}")
        if told["recipe"] != "classifier":
            self.notes.append("the owned workflow is no classifier: nothing was broken on purpose")
            return False
        began, sent = time.monotonic(), driver.sent
        bad = release_a_bad_one(self.running.home, told["candidate"], told["artefact"])
        self.console.print(f"[red]A bad release on purpose[/]: {told['candidate']} now serves {bad}.")
        what = "the bad release was taken back"
        if not self._until(driver, lambda: self._stage(workflow) == "rolled_back", what):
            return False
        took, calls = time.monotonic() - began, driver.sent - sent
        self.console.print(
            f"[green]Taken back by itself[/] {took:.1f} s and {calls} live calls after the release; the rented model "
            "serves it again."
        )
        return True


def summary(console: Console, moved: Moved, running: Instance, folder: Path, told: str) -> bool:
    """The one-screen end: every number with where it comes from; True where every dossier verifies."""
    table = Table(title="How it ended", title_justify="left")
    for name in ("workflow", "stage", "calls compared", "difference, points", "interval", "saved", "dossier"):
        table.add_column(name)
    good = True
    for one in moved.moves:
        path = folder / f"{one['workflow']}.dossier.json"
        running.freehold("moves", "dossier", one["workflow"], "--out", str(path), "--html")
        checks = running.freehold("moves", "verify", str(path))
        held = all(check["ok"] for check in checks)
        good = good and held
        measured = one["measured"]
        table.add_row(
            one["name"],
            one["stage"],
            str(measured["pairs"]),
            f"{measured['difference'] * 100:+.2f}" if measured["pairs"] else "-",
            f"{measured['low'] * 100:+.1f} to {measured['high'] * 100:+.1f}" if measured["pairs"] else "-",
            _saved(json.loads(path.read_text())["content"]["savings"]),
            f"{sum(check['ok'] for check in checks)} of {len(checks)} checks hold",
        )
    console.print(table)
    for note in _notes(moved, told):
        console.print(f"[dim]{note}[/]")
    return good


def _saved(savings: dict[str, Any] | None) -> str:
    """What serving it saved since the cut-over, with its interval; nothing is said before."""
    if savings is None:
        return "-"
    saved, low, high = (float(savings[name]) for name in ("saving", "low", "high"))
    return f"${saved:.4f} [{low:.4f}, {high:.4f}] on {savings['priced']} calls"


def _notes(moved: Moved, told: str) -> Iterable[str]:
    yield f"Calls: {told}. Rented answers are replayed from the log; no vendor was asked."
    yield "Differences are measured on the calls compared, by the rule each move began with; intervals hold always."
    yield (
        "Saved: rented price of the tokens served since the cut-over, minus what serving, comparing and annotating "
        "cost; owned models cost $0 here, because no price of your hardware is set."
    )
    yield from moved.notes
