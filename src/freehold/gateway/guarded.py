"""What the guard did with one call: what it found in the request, how the answer is looked at, what is written down."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from freehold.core.errors import FreeholdError
from freehold.core.label import Label
from freehold.gateway.armed import Armed, Patience
from freehold.gateway.errors import GuardUnavailable
from freehold.gateway.following import follows
from freehold.gateway.ports import Restore
from freehold.gateway.recall import Said as Turns
from freehold.gateway.refusing import Hold
from freehold.gateway.screen import Manner, Screen
from freehold.gateway.texts import Said
from freehold.guard.inspect import Seen, inspect
from freehold.guard.types import Finding
from freehold.guard.vault import Vault
from freehold.ledger.frames import Scan

TOKENS = "tokens"
"""Told among failed detectors where text came as numbers of tokens, which none can read."""


class Guarded:
    """One call under one guard."""

    def __init__(self, armed: Armed, said: Said, turns: Sequence[Turns], vault: Vault | None) -> None:
        self.armed = armed
        self.said = said
        self.turns = turns
        self.vault = vault
        self.seen = Seen()
        self.clean: set[int] = set()
        """Pieces that were looked at before."""
        self.texts: tuple[str, ...] = ()
        """The pieces as they may go on."""
        self.characters_in = 0
        self.failed: tuple[str, ...] = ()
        self.screen: Screen | None = None
        """Of the attempt under way."""
        self.out: list[Finding] = []
        """Found in answers of attempts before."""
        self.out_scanned = 0
        self.approval = ""
        """What approves a tool's call, where there is one to approve."""
        self.approved = False

    def looking(self) -> Callable[[], Seen]:
        """What looks at the request, whichever thread calls it."""
        vault, guard, pieces = self.vault, self.armed.guard, self.said.pieces
        # A conversation is sent again with each turn: what was looked at before, and held nothing, holds nothing now.
        clean = self.clean = {at for at, one in enumerate(pieces) if self.armed.clean.holds(one)}
        return lambda: inspect(guard, pieces, "in", vault, late=Patience(now=time.thread_time).late, clean=clean)

    def looked(self, seen: Seen) -> None:
        """That is what was seen in the request."""
        vault, known, pieces, clean = self.vault, self.armed.clean, self.said.pieces, self.clean
        self.seen = seen
        self.texts = seen.texts if vault is None else tuple(map(vault.sweep, seen.texts))
        self.characters_in = sum(len(one.text) for one in pieces) if self.armed.guard.looks_in else 0
        if not seen.failed:
            found = {at for at, _ in seen.findings}
            known.add(one for at, one in enumerate(pieces) if at not in clean and at not in found)
        self.failed = (*self.seen.failed, *((TOKENS,) if self.said.read.tokens else ()))

    def watch(self, inner: Restore | None, hold: Hold | None, *, merges: bool) -> Screen:
        """A screen for the answer of another attempt."""
        self._keep()
        # A detector that failed on the request made the label unknown: who answers then is owned, and answers.
        vital = self.armed.vital.difference(self.failed)
        request = self.said.request
        held_to = follows(None if request is None else request.format, self.armed.profile.schema)
        manner = Manner(
            vault=self.vault, vital=vital, withhold=self._withheld(), inner=inner, hold=hold, follows=held_to
        )
        self.screen = Screen(self.armed.answers, manner, merges=merges)
        return self.screen

    def answered(self, label: Label) -> None:
        """The answer went out whole: remember what it bears."""
        if self.screen is not None:
            self.armed.recall.answered(self.turns, self.screen.said(), self.bears(label))

    def bears(self, label: Label) -> Label:
        """The label of the answer to a call with this one."""
        more = None if self.screen is None else self.screen.label
        return label if more is None else label.join(more)

    def request_scan(self, label: str, lowered: str) -> Scan:
        """What is written down of the request; `label` is what it was before the guard looked."""
        return Scan(
            guard=self.armed.profile.name,
            digest=self.armed.guard.digest,
            characters=self.characters_in,
            found=counted([one for _, one in self.seen.findings]),
            failed=self.failed,
            unread=self.said.read.unread,
            label=label,
            lowered=lowered,
            stand_ins=0 if self.vault is None else len(self.vault),
        )

    def answer_scan(self, label: Label) -> Scan:
        """What is written down of the answer."""
        screen = self.screen
        found = self.out + (screen.findings if screen is not None else [])
        return Scan(
            guard=self.armed.profile.name,
            digest=self.armed.guard.digest,
            characters=self.characters(),
            found=counted(found),
            failed=screen.failed if screen is not None else (),
            label=str(self.bears(label)),
        )

    def untouched(self) -> bool:
        """Did nothing fail, and was nothing found or changed, so far and either way?"""
        screen, texts = self.screen, tuple(one.text for one in self.said.pieces)
        if self.failed or self.out or self.seen.findings or self.seen.ask or self.texts != texts:
            return False
        return screen is None or not (screen.failed or screen.findings or screen.changed or screen.label is not None)

    def characters(self) -> int:
        """Characters of answers that were looked at."""
        if not self.armed.answers.looks_out:  # they went through, and nobody looked
            return 0
        return self.out_scanned + (self.screen.scanned if self.screen is not None else 0)

    def over(self) -> None:
        """The call is over, and what is written down of it was asked for."""
        if self.screen is not None:
            self.screen.over()

    def _keep(self) -> None:
        if self.screen is not None:
            self.out += self.screen.findings
            self.out_scanned += self.screen.scanned
            self.screen.over()
            self.screen = None

    def _withheld(self) -> str:
        if not self.seen.ask or self.approved:
            return ""
        return f"the tool's results were found to carry instructions; approve with {self.approval}"


def counted(findings: Sequence[Finding]) -> tuple[tuple[str, str, int], ...]:
    """Detector, kind and how often, sorted."""
    counts = Counter((one.detector, one.kind) for one in findings)
    return tuple((detector, kind, count) for (detector, kind), count in sorted(counts.items()))


def vault_of(armed: Armed, team: str, conversation: str, turns: Sequence[Turns]) -> Vault | None:
    """The stand-ins of a call: the same throughout its conversation, which begins the same way each time it is sent.

    None where no rule wants any. Raises GuardUnavailable where the tenant's key cannot be had.
    """
    if not armed.stands_in:
        return None
    first = next((text for role, text in turns if role == "user"), "")
    try:
        return Vault(armed.vault_secret(team), conversation or first)
    except (FreeholdError, OSError) as error:
        raise GuardUnavailable(f"the key for stand-ins cannot be had: {error}") from None


def approval_of(armed: Armed, said: Said) -> str:
    """What approves calls of tools in answer to exactly these texts."""
    texts = "\0".join(piece.text for piece in said.pieces)
    return armed.sealer.digest(b"guard-approval", texts.encode("utf-8", "surrogatepass"))[:8].hex()
