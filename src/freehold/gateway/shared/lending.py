"""How a gateway's limits speak with Valkey: words of many limits in one exchange, one exchange at a time.

A call waits only where no units in hand cover it, and never longer than the server may take to answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from freehold.core.log import Log
from freehold.gateway.shared.line import Away, Line, Shared
from freehold.gateway.shared.scripts import CENSUS, LEND
from freehold.policy.lent import LENT_SECONDS, Lender, LentBucket

LAZY_SECONDS = 0.02
"""How long words wait for others where no call waits for them."""
LOOK_SECONDS = 1.0
AWAY_SECONDS = 0.2
"""How often it is looked for while it is away."""
CENSUS_SECONDS = 5.0
GONE_SECONDS = 20
"""Who said nothing for so long does not share any more."""
AT_ONCE = 256
"""Limits an exchange is about."""


Word = tuple[Sequence[bytes], Sequence[str | int]]
"""Keys and arguments of `LEND`."""


class Waiting(Protocol):
    """A call that waits for units of a limit."""

    def lent(self) -> None:
        """What there is to say is said: try again."""


class Lending:
    """All shared limits of one process."""

    def __init__(self, shared: Shared, prefix: bytes, holder: str, lender: Lender, log: Log) -> None:
        """`holder` names this process among those that share."""
        self.lender = lender
        self._log = log
        self._shared = shared
        self._line = Line(shared)
        self._census = prefix + b"gateways"
        self._holder = holder
        self._number = 0
        self._waiting: dict[LentBucket, list[tuple[int, Waiting]]] = {}
        self._active: set[LentBucket] = set()
        self._counted = -CENSUS_SECONDS
        self._round: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._told = False
        lender.wake = self._wake

    # For the plane

    def ask(self, bucket: LentBucket, amount: int, call: Waiting) -> None:
        """Ask for at least `amount`; `call.lent` follows."""
        self._waiting.setdefault(bucket, []).append((amount, call))
        if not bucket.asking:
            bucket.asking = True
            self.lender.short.append(bucket)
        self._go()

    # Rounds

    def _wake(self) -> None:
        if self._soon is None and not self.lender.away:
            self._soon = asyncio.get_running_loop().call_later(LAZY_SECONDS, self._go)

    def _go(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._round is None:
            self._round = asyncio.get_running_loop().create_task(self._speak())

    async def _speak(self) -> None:
        try:
            while self.lender.short and (self._waiting or not self.lender.away):
                await self._exchange()
        finally:
            self._round = None
        if self.lender.short:
            self._wake()

    async def _exchange(self) -> None:
        lender = self.lender
        buckets, lender.short = lender.short[:AT_ONCE], lender.short[AT_ONCE:]
        calls, needs = [], []
        for one in buckets:
            self._number += 1
            word, need = word_of(one, [amount for amount, _ in self._waiting.get(one, ())], self._holder, self._number)
            calls.append(word)
            needs.append(need)
        try:
            answers = await self._line.script(LEND, calls, self._shared.answer_seconds)
        except Away as error:
            self._lost(buckets, error)
            return
        except Exception as error:  # noqa: BLE001 - the process edge: calls that wait must be told
            self._lost(buckets, Away(f"a defect: {type(error).__name__}"))
            return
        self._there()
        for one, need, (kept, granted, wait, level) in zip(buckets, needs, answers, strict=True):
            one.asking = False
            if kept >= 0:
                one.heard(kept, granted, wait / 1000, level, need)
                self._active.add(one)
            self._resume(one)

    def _lost(self, buckets: list[LentBucket], error: Away) -> None:
        lender = self.lender
        if not lender.away or not self._told:
            self._say(error)
        lender.away = True
        for one in buckets:
            one.asking = False
            one.unheard()
        for one in buckets:
            self._resume(one)
            if one.owed or one.drawn:
                one.speak()
        for one in list(self._waiting):  # nobody waits for what is known to be away
            self._resume(one)

    def _say(self, error: Away) -> None:
        self._told = True
        what = "refused" if self.lender.refuses else f"1/{self.lender.share} of each"
        self._log.warning("valkey is away", reason=error.message, limits=what)

    def _there(self) -> None:
        if self.lender.away:
            self.lender.away = False
            if self._told:
                self._log.info("valkey is back")
            self._told = False

    def _resume(self, bucket: LentBucket) -> None:
        for _, call in self._waiting.pop(bucket, ()):
            call.lent()

    # Its own time

    async def begin(self) -> None:
        """Reach the server once, before calls are served."""
        await self._look()

    async def keep(self) -> None:
        """Look once a second, for good: is the server there, what goes back, who shares."""
        while True:
            await asyncio.sleep(AWAY_SECONDS if self.lender.away else LOOK_SECONDS)
            await self._look()

    async def _look(self) -> None:
        lender = self.lender
        steady = lender.steady()
        if lender.away or steady - self._counted >= CENSUS_SECONDS:
            try:
                arguments = (self._holder, GONE_SECONDS)
                (count,) = await self._line.script(CENSUS, [([self._census], arguments)], self._shared.answer_seconds)
            except Away as error:
                self._lost([], error)
                return
            except Exception as error:  # noqa: BLE001 - the process edge: who looks must go on looking
                self._lost([], Away(f"a defect: {type(error).__name__}"))
                return
            self._counted = steady
            lender.seen = count
            self._there()
        for one in list(self._active):
            if one.restless(steady):
                one.speak()
            elif not one.held:
                self._active.discard(one)
        if lender.short:
            self._wake()

    async def end(self) -> None:
        """Give back what is held, and hang up."""
        lender = self.lender
        if not lender.away:
            for one in self._active:
                one.leave()
            self._go()
            task = self._round
            if task is not None:
                await task
        await self._line.close()


def word_of(bucket: LentBucket, wanted: Sequence[int], holder: str, number: int) -> tuple[Word, int]:
    """What to say of a limit where calls wait for so many units each, and what is needed beside what is here."""
    # More than the whole limit passes only where all of it is there.
    everything = wanted[0] > bucket.limit if wanted else bucket.idle()
    keep, back, owed, ahead = bucket.said(everything=everything)
    need = max(wanted[0] - keep, 0) if wanted else 0
    told = (bucket.limit, holder, number, keep, back, owed)
    return ([bucket.name], (*told, need, sum(wanted[1:]), ahead, int(LENT_SECONDS * 1000))), need
