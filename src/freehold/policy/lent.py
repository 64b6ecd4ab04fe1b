"""A limit a minute that many processes share: each spends what a server lent it, and says when it needs more.

Pure but for its own counts. Invariant: what is spent was lent and is not over yet; while the server is away it is drawn
from this process's own part, and told to the server when that is back.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from freehold.core.errors import LimitsUnavailable
from freehold.policy.limits import Bucket

ASK = -1.0
"""What `take` says where only the server knows."""
LENT_SECONDS = 10.0
"""How long the server counts units as lent that it hears nothing of."""
OURS_SECONDS = 9.0
"""How long they are spent here, from before they were asked for: no clock runs a tenth slower than another."""
PART = 60
"""At most such a part of a limit is asked for ahead of need: what flows in within a second."""
CALLS_PART = 20
"""The same where one call takes more than that."""
DRY_SECONDS = 0.1
"""How long a refusal of the server is repeated without asking it again."""
IDLE_SECONDS = 2.0
"""Units that nobody took for so long go back."""


def _nobody() -> None:
    """Until somebody listens."""


class Lender:
    """What the shared limits of one process have in common."""

    __slots__ = ("away", "known", "least", "named", "refuses", "seen", "short", "steady", "wake")

    def __init__(
        self, steady: Callable[[], float], named: Callable[[bytes], bytes], share: int, *, refuses: bool
    ) -> None:
        """`steady` is a clock nobody sets; `named` makes a limit's name at the server. `refuses` says what happens
        while it is away: refuse, or let each process spend its part, one of `share` or more.
        """
        self.steady = steady
        self.named = named
        self.least = share
        self.known = 1
        """How many share by the keys."""
        self.seen = 1
        """How many said so to the server, when it was asked last."""
        self.refuses = refuses
        self.away = True
        """Until the server has answered."""
        self.short: list[LentBucket] = []
        """Those that have something to say to the server."""
        self.wake: Callable[[], None] = _nobody

    @property
    def share(self) -> int:
        """How many share, whoever knows of more."""
        return max(self.least, self.known, self.seen)


class LentBucket(Bucket):
    """One shared limit in one process. As a `Bucket` it is this process's own part, for while the server is away."""

    __slots__ = (
        "ahead", "asking", "drawn", "drawn_at", "dry", "dry_until", "dry_wait", "heard_at", "held", "largest", "lender",
        "lent", "level_seen", "name", "owed", "sent_at", "sent_keep", "sent_owed", "until", "used_at",
    )  # fmt: skip

    def __init__(self, name: bytes, per_minute: int, lender: Lender, now: float) -> None:
        super().__init__(max(per_minute // lender.share, 1), now)
        self.limit = per_minute
        self.name = name
        self.lender = lender
        self.held = 0
        """Units that may be spent."""
        self.lent = 0
        """Units the server believes are here: no more than these can be given back without asking."""
        self.until = 0.0
        self.owed = 0
        """Units spent beyond what was lent, that the server does not know of; negative for units given back."""
        self.drawn = 0
        """Units of the own part that the server does not know of, and when the last was drawn."""
        self.drawn_at = 0.0
        self.ahead = 0
        """Units to ask for beyond what is needed."""
        self.largest = 1
        """Most that a call took."""
        self.asking = False
        self.used_at = 0.0
        self.level_seen = per_minute
        """Units the server had left when it last answered, and when that was; 0 once the own part knows."""
        self.heard_at = 0.0
        self.dry = 0
        """What the server refused, and until when that is repeated, and until when it said to wait."""
        self.dry_until = 0.0
        self.dry_wait = 0.0
        self.sent_at = 0.0
        self.sent_keep = 0
        self.sent_owed = 0

    def take(self, amount: float, now: float) -> float:
        """Take `amount`: 0 where it was there, the seconds until it may be, or ASK. Raises LimitsUnavailable."""
        lender, units = self.lender, math.ceil(amount)
        steady = lender.steady()
        self.used_at = steady
        if self.held and steady >= self.until:
            self.held = self.lent = 0
        if self.held >= units:
            self.held -= units
            if self.held * 2 < self.ahead and not self.asking:
                self.ahead = min(self.ahead * 2, self._most_ahead())
                self.speak()
            return 0.0
        if lender.away:
            return self._take_alone(units, now)
        if self.dry and units >= self.dry and steady < self.dry_until:
            return max(self.dry_wait - steady, 0.001)
        self.largest = max(self.largest, units)
        return ASK

    def _take_alone(self, units: int, now: float) -> float:
        if self.lender.refuses:
            raise LimitsUnavailable("where limits are kept does not answer", retry_after=1.0)
        mine = max(self.limit // self.lender.share, 1)
        if mine != self.per_minute:  # more or fewer share it than when this was made
            self.per_minute, self.rate, self.level = mine, mine / 60.0, min(self.level, float(mine))
        if self.heard_at:  # the own part begins with its share of what was left
            left = self.level_seen + max(self.lender.steady() - self.heard_at, 0.0) * self.limit / 60.0
            self.level = min(self.level, left / self.lender.share)
            self.heard_at = 0.0
        wait = super().take(units, now)
        self.drawn_at = self.lender.steady()
        if not wait:
            self.drawn += units
            self.speak()
        return wait

    def correct(self, amount: float) -> None:
        """Take more (or give back, where negative) once the true amount is known."""
        units = math.ceil(amount)
        if units < 0:
            self._give_back(-units)
        elif units > 0:
            here = min(units, self.held)
            self.held -= here
            if self.lender.away and units > here:
                super().correct(units - here)
                self.drawn += units - here
            else:
                self.owed += units - here
        if self.owed or self.drawn:
            self.speak()

    def _give_back(self, units: int) -> None:
        alone = min(units, self.drawn)
        if alone:
            self.drawn -= alone
            super().correct(-alone)
            units -= alone
        here = min(units, self.lent - self.held) if self.lender.steady() < self.until else 0
        self.held += here
        self.owed -= units - here

    def state(self) -> tuple[int, int, float]:
        """The limit, units left as far as is known here, and seconds until all of it would be there again."""
        if self.lender.away:
            return super().state()
        left = max(min(self.level_seen + self.held - max(self.owed, 0), self.limit), 0)
        return self.limit, left, (self.limit - left) * 60.0 / self.limit

    # What is said to the server, and what it says

    def speak(self) -> None:
        """Have the server told and asked soon."""
        if not self.asking:
            self.asking = True
            self.lender.short.append(self)
            self.lender.wake()

    def said(self, *, everything: bool) -> tuple[int, int, int, int]:
        """What to tell and ask: units kept, units given back, units owed, units wanted ahead of need.

        One word at a time: `heard` or `unheard` follows. With `everything` all that is held goes back.
        """
        steady = self.lender.steady()
        if self.held and steady >= self.until:
            self.held = self.lent = 0
        if self.drawn:  # what the own part has not made good again by its own refill
            level = self.level + max(steady - self.drawn_at, 0.0) * self.rate
            self.owed += max(min(self.drawn, math.ceil(self.per_minute - level)), 0)
            self.drawn = 0
        back = 0
        if everything:
            back, self.held, self.ahead = self.held, 0, 0
        elif not self.ahead:
            self.ahead = min(self.largest, self._most_ahead())
        self.sent_at, self.sent_keep, self.sent_owed = steady, self.held, self.owed
        self.lent = self.held
        self.owed = 0
        return self.sent_keep, back, self.sent_owed, 0 if everything else max(self.ahead - self.held, 0)

    def heard(self, kept: int, granted: int, wait: float, level: int, need: int) -> None:
        """The server's answer: units it still knows of, units granted, seconds to wait where `need` was not covered."""
        self.held = max(self.held - (self.sent_keep - kept), 0) + granted
        self.lent = kept + granted
        self.until = self.sent_at + OURS_SECONDS
        self.level_seen, self.heard_at = level, self.lender.steady()
        owed = min(self.owed, self.held)
        if owed > 0:
            self.owed -= owed
            self.held -= owed
        self.dry = 0
        if wait > 0.0 and need:
            steady = self.lender.steady()
            self.dry, self.dry_until, self.dry_wait = need, steady + min(wait, DRY_SECONDS), steady + wait

    def unheard(self) -> None:
        """No answer came. What was owed is told again, at worst twice; what was given back is not."""
        if self.sent_owed > 0:
            self.owed += self.sent_owed

    def idle(self) -> bool:
        """Has nobody taken from it for a while?"""
        return self.lender.steady() - self.used_at > IDLE_SECONDS

    def leave(self) -> None:
        """This process ends: what is held is to go back."""
        self.used_at = self.lender.steady() - 2 * IDLE_SECONDS
        self.speak()

    def restless(self, steady: float) -> bool:
        """Is there something the server should hear of though no call asks: units to go back or about to be over?"""
        if not self.held:
            return False
        return self.idle() or self.until - steady < OURS_SECONDS / 3

    def _most_ahead(self) -> int:
        return max(self.limit // PART, min(self.largest, self.limit // CALLS_PART))


def lent_bucket(about: bytes, per_minute: int | None, old: Bucket | None, now: float, lender: Lender) -> Bucket | None:
    """The shared limit of that: the one there is, with its new number, or a new one; None where there is none."""
    if per_minute is None:
        return None
    if isinstance(old, LentBucket):
        old.limit = per_minute
        return old
    return LentBucket(lender.named(about), per_minute, lender, now)
