"""The account of one call: what it reserved, whom it tried, what it cost. Settled once, whatever happens."""

from __future__ import annotations

from msgspec.structs import replace

from freehold.core.money import ZERO
from freehold.gateway.routing.table import Stop
from freehold.ledger.frames import Tried
from freehold.ledger.meter import Usage, charge
from freehold.policy.budgets import NOTHING, Purse, Reservation

NONE = Usage()


class Leg:
    """What is known of an attempt under way."""

    def __init__(self, stop: Stop | None, started: float, body_bytes: int, first_token: float | None = None) -> None:
        self.stop = stop
        self.started = started
        self.body_bytes = body_bytes
        self.first_token = first_token


class Account:
    """Times are Unix seconds, money is US dollars. `spent` and `tried` are what the closing frame says."""

    # Defaults stand on the class: one is made for each call, and most of them stay as they are.
    stop: Stop | None = None
    started = 0.0
    first_token: float | None = None
    body_bytes = 0
    expected_tokens = 0
    asked: Usage | None = None
    """The most that it can be of what is not counted in tokens alone: charged where an answer does not tell."""
    tokens = 0
    aside: Leg | None = None
    """A second attempt under way beside the first."""
    late: Tried | None = None
    """One that is over before the first is."""

    def __init__(self, call: bytes, at: float, purse: Purse) -> None:
        self.call = call
        self.at = at
        self.purse = purse
        self.reservation: Reservation = NOTHING
        self.spent = ZERO
        self.tried: list[Tried] = []

    def begin(self, stop: Stop, body_bytes: int, now: float) -> None:
        """An attempt at `stop` is about to be sent."""
        self.stop = stop
        self.started = now
        self.first_token = None
        self.body_bytes = body_bytes
        health = stop.health
        health.in_flight += 1
        if health.breaker.until:
            health.breaker.begin(now)

    def end(self, outcome: str, status: int, usage: Usage | None, now: float, error: str = "") -> None:
        """The attempt is over. Does nothing where none is under way."""
        stop = self.stop
        if stop is None:
            return
        self.stop = None
        health = stop.health
        health.in_flight -= 1
        if health.queue is not None:
            health.queue.wake(health)
        price = ZERO
        if usage is None:
            usage = NONE
        else:
            if self.asked is not None:
                usage = self._as_asked(usage, self.asked, stop)
            self.tokens += usage.input + usage.output
            if not stop.free:
                price = charge(usage, stop.rate)
                self.spent += price
        at, first, tried = self.at, self.first_token, self.tried
        token = None if first is None else first - at
        tried.append(
            Tried(len(tried) + 1, stop.name, self.started - at, token, now - at, outcome, status, usage, price, error)
        )

    def begin_aside(self, stop: Stop, body_bytes: int, now: float) -> None:
        """An attempt at `stop` is about to be sent beside the one under way."""
        self.aside = Leg(stop, now, body_bytes)
        stop.health.in_flight += 1
        if stop.health.breaker.until:
            stop.health.breaker.begin(now)

    def end_aside(self, outcome: str, status: int, now: float, *, sent: bool, error: str = "") -> None:
        """The attempt beside the other is over; where it was sent, its target is taken to have read the request."""
        mine, leg = Leg(self.stop, self.started, self.body_bytes, self.first_token), self.aside
        if leg is None:
            return
        self.take_aside()
        self.end(outcome, status, self.estimate(0) if sent else None, now, error)
        self.stop, self.started = mine.stop, mine.started
        self.body_bytes, self.first_token = mine.body_bytes, mine.first_token
        if self.stop is not None:  # whose number comes first
            self.late = replace(self.tried.pop(), number=len(self.tried) + 2)

    def take_aside(self) -> None:
        """The attempt beside the other is the one that counts from now on."""
        leg, self.aside = self.aside, None
        if leg is not None:
            self.stop, self.started, self.body_bytes, self.first_token = leg.stop, leg.started, leg.body_bytes, None

    def flush(self) -> None:
        """The first attempt is over: tell of the second behind it."""
        late, self.late = self.late, None
        if late is not None:
            self.tried.append(late)

    def _as_asked(self, usage: Usage, asked: Usage, stop: Stop) -> Usage:
        """The usage, with what was asked for in the place of what was not told."""
        by_tokens = bool(stop.bound_input or stop.bound_output)
        told = usage.input or usage.output or (usage.units and stop.rate.of_units(1, usage.unit))
        if by_tokens and (usage.estimated or not told):
            return asked
        if usage.units or not (usage.estimated or stop.rate.units):
            return usage
        if usage.estimated:
            return Usage(units=asked.units, unit=asked.unit, estimated=True)
        return replace(usage, units=asked.units, unit=asked.unit, estimated=True)

    def drawn(self) -> tuple[str, ...]:
        """The leases this call draws on, as the journal names them."""
        slices = self.reservation.slices
        return tuple([one.spoken for one in slices]) if slices else ()

    def cost_line(self) -> bytes:
        """What the call cost, as a header line."""
        text = str(self.spent)
        return b"x-freehold-cost: %b\r\n" % (f"{self.spent:f}" if "E" in text else text).encode()

    def estimate(self, events: int) -> Usage:
        """What an unfinished answer used, where the target did not say: four bytes a token in, an event a token out.

        Both are rules of thumb for English text; the row is marked as estimated.
        """
        return Usage(input=self.body_bytes // 4, output=events, estimated=True)
