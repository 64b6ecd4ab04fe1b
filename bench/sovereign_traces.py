"""Generated traces: what happens to a call in any order, and which bytes leave for where, held against the oracle.

Each trace is one conversation: labels from every source, detectors that fail, rights used with and without leave, keys
of several teams, policies swapped and clocks set under way, targets that fail, side calls, redirects, kept permits.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from bench.sovereign_world import World, may, table, world
from freehold.core.egress import send
from freehold.core.errors import EgressRefused, FreeholdError
from freehold.core.label import Label, Level
from freehold.gateway.routing.table import Path, Stop
from freehold.identity.types import Principal
from freehold.policy import labelling
from freehold.policy.permits import Mint

TODAY = "2026-11-22"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
LATE = datetime(2026, 12, 5, 12, tzinfo=UTC).timestamp()
EARLY = datetime(2020, 1, 1, 12, tzinfo=UTC).timestamp()
CLOCKS = (NOON, NOON, NOON, NOON, LATE, EARLY, float("nan"))
REGIMES = ("CLASSIFIED", "EXPORT", "GDPR", "HIPAA", "MNPI", "ODD", "PCI")
TEAMS = ("it", "it", "hr", "*")
UNREADABLE = ("zeta-9", "", "public; drop", "internal:gd pr", "4")
CEDAR = """
permit(principal, action, resource);
forbid(principal, action, resource) when { context.route == "nowhere" };
"""
KEPT_SECONDS = 600


class Sink:
    """Where bytes land that leave."""

    body = b""

    def write(self, data: bytes) -> None:
        """Keep them."""
        self.body = data


class Tally:
    """What all traces came to."""

    def __init__(self, worlds: list[World]) -> None:
        self.worlds = worlds
        self.traces = self.departures = self.refusals = self.violations = self.needless = 0
        self.events: Counter[str] = Counter()


def run(count: int, seed: int) -> Tally:
    """That many traces; the same seed gives the same ones."""
    roll = random.Random(seed)
    worlds = [
        world("anywhere", None),
        world("eu", ("EU",)),
        world("us", ("US",)),
        world("both", ("EU", "US")),
        world("nowhere", ()),
        world("air gap", ("EU", "US"), "air_gapped = true"),
        world("closed", None, 'closed = "the rules are being mended"'),
        world("tenants' rules", None, f'cedar_text = """{CEDAR}"""'),
    ]
    tally = Tally(worlds)
    routes = table()
    path = routes.path("all")
    stops = tuple(routes.stops.values())
    mints = [Mint(number, one.policy, now=NOON) for number, one in enumerate(worlds)]
    for _ in range(count):
        Trace(roll, tally, path, stops, mints).play()
    tally.traces = count
    return tally


class Trace:
    """One conversation. Beside the product's label it keeps its own: a level, and names of regimes."""

    def __init__(
        self, roll: random.Random, tally: Tally, path: Path, stops: tuple[Stop, ...], mints: list[Mint]
    ) -> None:
        self.roll, self.tally, self.path, self.stops, self.mints = roll, tally, path, stops, mints
        self.at = roll.randrange(len(mints))
        self.now = NOON
        self.team = roll.choice(TEAMS)
        rights = ("declassify",) if roll.random() < 0.2 else ()
        self.principal = Principal(key_id="k", name="k", digest=b"", team=self.team, rights=rights)
        self.said: list[Label | None] = []
        self.findings: list[Label] = []
        self.failed = False
        self.lowered: labelling.Lowering | None = None
        self.level = -1
        self.regimes: frozenset[str] = frozenset()
        self.found: tuple[int, frozenset[str]] = (0, frozenset())

    def play(self) -> None:
        """Between three and nine events in any order, then one more attempt."""
        roll, events = self.roll, self.tally.events
        for _ in range(roll.randint(3, 9)):
            name, event = roll.choice(EVENTS)
            events[name] += 1
            event(self)
        self.attempt()

    # What goes into the call

    def _label(self) -> Label:
        level = self.roll.choice(_LEVELS)
        return Label(level, frozenset(self.roll.sample(REGIMES, self.roll.choice((0, 0, 1, 2)))))

    def part(self) -> None:
        """A turn, tool result, document, passage or cache hit with a label, a key's default, a header."""
        one = self._label()
        self.said.append(one)
        self.level = max(self.level, int(one.level))
        self.regimes |= one.regimes

    def unlabelled(self) -> None:
        """A part of which nothing is said."""
        self.said.append(None)

    def unreadable(self) -> None:
        """A label that is none."""
        self.said.append(labelling.read(self.roll.choice(UNREADABLE)))
        self.level = 4

    def finding(self) -> None:
        """A detector finds something."""
        one = self._label()
        self.findings.append(one)
        self.found = (max(self.found[0], int(one.level)), self.found[1] | one.regimes)

    def failure(self) -> None:
        """A detector raises, or runs out of time."""
        self.failed = True

    def answer(self) -> None:
        """What a model answered comes back as a turn."""
        self.said.append(labelling.answered(self.label()))
        self.level, self.regimes = self.truth()

    def lower(self) -> None:
        """Somebody asks for a lower label; only a right gives it, and only for what was said."""
        before, to = labelling.joined(self.said), self._label()
        try:
            self.lowered = labelling.lower(before, to, self.principal, NOON, "reviewed")
        except FreeholdError:
            return
        self.said = [self.lowered.after]
        self.lowered = None
        self.level, self.regimes = int(to.level), to.regimes
        if not self.principal.rights:
            self.tally.violations += 1

    def text(self) -> None:
        """A turn whose text says that it is public: text says nothing."""
        self.said.append(None)

    def label(self) -> Label:
        """The product's."""
        return labelling.label_of(self.said, self.findings, failed=self.failed, lowered=self.lowered)

    def truth(self) -> tuple[int, frozenset[str]]:
        """The trace's own."""
        level = 4 if self.level < 0 or self.failed else max(self.level, self.found[0])
        return level, self.regimes | self.found[1]

    # What happens around it

    def swap(self) -> None:
        """Another policy is in force from now on."""
        self.at = self.roll.randrange(len(self.mints))

    def clock(self) -> None:
        """The clock is set, or a day goes by."""
        self.now = self.roll.choice(CLOCKS)

    # Where its bytes go

    def attempt(self) -> None:
        """By the route's plan; each target that is tried fails, and the next is."""
        label, mint = self.label(), self._mint()
        plan = self.path.plan(label, mint, "", NOON, self.roll.random)
        for stop in plan[: self.roll.randint(1, 3)]:
            if isinstance(stop, Stop):
                self._send(stop, label, mint, "attempt")
        if not plan:
            self.tally.refusals += 1

    def side(self) -> None:
        """Past every plan: a shadow, a judge, an embedding, a moderation call, a trace export, a training set."""
        self._send(self.roll.choice(self.stops), self.label(), self._mint(), "side")

    def redirect(self) -> None:
        """A target answers that the body belongs elsewhere: a permit is for its own target's address."""
        stop, other = self.roll.choice(self.stops), self.roll.choice(self.stops)
        if other is stop:
            return
        try:
            permit = self._mint().permit(b"c", self.label(), stop.target, b"body", self.now)
            send(Sink(), other.origin, permit, b"", self.now)
        except FreeholdError:
            self.tally.refusals += 1
            return
        self.tally.violations += 1

    def keep(self) -> None:
        """A permit that waits for its connection, while time goes by."""
        stop = self.roll.choice(self.stops)
        wait = self.roll.choice((0, 599, 601, 10_000, -10_000))
        sink = Sink()
        try:
            permit = self._mint().permit(b"c", self.label(), stop.target, b"body", self.now)
            send(sink, stop.origin, permit, b"", self.now + wait)
        except FreeholdError:
            self.tally.refusals += 1
            return
        self._weigh(stop, sink, b"body")
        if not 0 <= wait <= KEPT_SECONDS:
            self.tally.violations += 1

    def _mint(self) -> Mint:
        return self.mints[self.at].scoped(self.team, "all")

    def _send(self, stop: Stop, label: Label, mint: Mint, how: str) -> None:
        body = how.encode()
        sink = Sink()
        try:
            permit = mint.permit(b"c", label, stop.target, body, self.now)
            send(sink, stop.origin, permit, b"", self.now)
        except EgressRefused:
            self.tally.refusals += 1
            return
        except FreeholdError:
            self.tally.refusals += 1
            if self._may(stop):
                self.tally.needless += 1
            return
        self._weigh(stop, sink, body)

    def _weigh(self, stop: Stop, sink: Sink, body: bytes) -> None:
        """Bytes have left: should they have?"""
        self.tally.departures += 1
        if not self._may(stop) or sink.body != body:
            self.tally.violations += 1

    def _may(self, stop: Stop) -> bool:
        level, regimes = self.truth()
        today = datetime.fromtimestamp(self.now, UTC).date().isoformat() if self.now == self.now else ""
        return may(self.tally.worlds[self.at], stop.name, level, regimes, self.team, today)


_LEVELS = (Level.PUBLIC, Level.PUBLIC, Level.INTERNAL, Level.INTERNAL, Level.CONFIDENTIAL, Level.RESTRICTED)

EVENTS: tuple[tuple[str, Callable[[Trace], None]], ...] = (
    ("part", Trace.part),
    ("part again", Trace.part),
    ("unlabelled part", Trace.unlabelled),
    ("unreadable label", Trace.unreadable),
    ("finding", Trace.finding),
    ("failed detector", Trace.failure),
    ("answer", Trace.answer),
    ("asked to lower", Trace.lower),
    ("text that claims", Trace.text),
    ("policy swapped", Trace.swap),
    ("clock set", Trace.clock),
    ("attempt", Trace.attempt),
    ("attempt again", Trace.attempt),
    ("side call", Trace.side),
    ("redirect", Trace.redirect),
    ("kept permit", Trace.keep),
)
