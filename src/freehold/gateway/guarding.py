"""The guard in the call machine: the request is looked at before its label is final, the answer before it goes out.

Fail closed: a label only rises, what a detector failed on is unknown, and an answer that cannot be looked at is cut.
Only a key with a named right can have a label lowered; that stands in the journal with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from freehold.core.errors import BadRequest, FreeholdError
from freehold.core.label import Label, parse_label
from freehold.gateway.armed import Armed, Watch
from freehold.gateway.callers import Caller
from freehold.gateway.cascade import Kept
from freehold.gateway.errors import GuardBlocked, GuardUnavailable, ModelRefused
from freehold.gateway.failing import Failing
from freehold.gateway.guarded import Guarded, approval_of, vault_of
from freehold.gateway.lanes import Lane, lane_of
from freehold.gateway.media import PICTURES, TEXTS
from freehold.gateway.recall import said_of
from freehold.gateway.refusing import Hold
from freehold.gateway.routing.table import Path, Unarmed
from freehold.gateway.screen import Screen
from freehold.gateway.texts import Said
from freehold.guard.inspect import Seen
from freehold.ledger.frames import Scan
from freehold.ledger.meter import Usage
from freehold.policy.labelling import Lowering, joined, label_of, lower, started, wish
from freehold.policy.permits import Mint

ASIDE_CHARACTERS = 16_384
"""A longer request is looked at in another thread: this one would answer nobody for twenty milliseconds and more."""
APPROVE = "approve"
"""The right of a key to let a model call a tool after it read what may be an instruction from outside."""
MERGED = frozenset({"gemini", "openai_chat"})
"""Dialects that may tell one text in several blocks."""
MOST_REASON = 200
"""Characters of a reason that are kept."""
MOST_DIGITS = 6
FILTERED = frozenset({400, 403, 422})
FILTER_MARKS = (
    b'"content_filter"',
    b'"content_policy_violation"',
    b'"moderation_blocked"',
    b"ResponsibleAIPolicyViolation",
)
"""How vendors' errors say that a filter of theirs refused what was asked (OpenAI, Azure)."""


class Guarding(Failing):
    """The call machine where it looks at content."""

    stated: Label | None = None
    """What the header says of the call."""
    turn_labels: Mapping[int, Label] | None = None
    """What it says of single turns."""
    lowering: Lowering | None = None
    """Which right lowered the label, and why."""

    # The label

    def lane_for(self, caller: Caller, path: Path, mint: Mint, header: bytes | None) -> Lane:
        """The lane by what the headers say of the content. Raises BadRequest, Forbidden, NoPermittedTarget."""
        if header is not None:
            self.stated, self.turn_labels = stated_labels(header.decode("latin-1"))
            self.raised = joined((self.stated, *self._of_turns().values()))
        if caller.lowers:
            self._judge_label(caller, path, None, (), failed=False)
        elif header is None:
            return lane_of(caller, path, mint)
        return Lane(caller, path, mint, self.raised, self.label)

    def _of_turns(self) -> Mapping[int, Label]:
        return self.turn_labels or {}

    def _judge_label(
        self, caller: Caller, path: Path, known: Label | None, found: Sequence[Label], *, failed: bool
    ) -> None:
        """The label by the law in `policy/labelling`: `known` is what is remembered of these turns.

        Raises BadRequest or Forbidden where a lower label is asked for, and cannot be had.
        """
        principal = caller.principal
        begun, used = started(caller.label, self.stated, principal, self.at)
        said = joined((begun, path.label, known, *self._of_turns().values()))
        asked = self.inbound.headers.get(b"x-freehold-declassify")
        if asked is not None:
            to, reason = wish(asked.decode("latin-1"))
            used = lower(said, to, principal, self.at, reason)
        self.lowering = used
        self.label = label_of((said,), found, failed=failed, lowered=used)
        if used is not None:
            self.scan = Scan(guard="", digest="", label=str(used.before), lowered=lowered_text(used))

    # The way in

    def looked_aside(self, seen: Seen | BaseException) -> None:
        """Another thread has looked at the request, or failed to: go on."""
        raise NotImplementedError

    def guard(self, watch: Watch) -> bool:
        """Look at the request, join what is found to its label, and put what may go on in its place.

        False where it is so long that another thread looks, so that others are answered meanwhile: then `looked_aside`
        is called. Raises GuardUnavailable, GuardBlocked, NoPermittedTarget, BadRequest, Forbidden.
        """
        caller, lane, peek = self.caller, self.lane, self.peek
        assert caller is not None
        assert lane is not None
        assert peek is not None
        if isinstance(watch, Unarmed):
            raise GuardUnavailable(watch.fault)
        guarded = self.guarded = self._begin_guarded(watch, lane)
        if guarded.said.request is None and peek.stream and self.dialect.name in TEXTS:
            message = f"a stream of {self.dialect.name} cannot be looked at, and this route's answers are"
            raise GuardBlocked(message, hint="ask for the answer whole: leave out stream")
        look = guarded.looking()
        if self.plane.aside is not None and sum(len(one.text) for one in guarded.said.pieces) > ASIDE_CHARACTERS:
            self.plane.aside(look, self.looked_aside)
            return False
        self.judge_seen(look())
        return True

    def judge_seen(self, seen: Seen) -> None:
        """What follows from what was seen in the request. Raises what `guard` raises."""
        caller, lane, peek, guarded = self.caller, self.lane, self.peek, self.guarded
        assert caller is not None
        assert lane is not None
        assert peek is not None
        assert guarded is not None
        watch = guarded.armed
        others = watch.recall.label_within(one.text for one in guarded.said.pieces if one.source != "assistant")
        earlier = [one for one in (watch.recall.label_of(guarded.turns), others) if one is not None]
        known = joined(earlier) if earlier else None
        watch.recall.stated(guarded.turns, self.stated, self._of_turns())
        guarded.looked(seen)
        self.plane.tick()  # that may have taken seconds, and permits are held against this clock
        found = () if seen.label is None else (seen.label,)
        self._judge_label(caller, lane.path, known, found, failed=bool(guarded.failed))
        used = self.lowering
        before = lane.label_text if used is None else str(used.before)
        self.scan = guarded.request_scan(before, lowered_text(used))
        if seen.blocked:
            raise GuardBlocked(f"the request holds {seen.blocked}, which this route does not let through")
        if self.label != lane.label:
            self.lane = Lane(caller, lane.path, self.plane.mint, self.raised, self.label)
        if seen.ask:
            guarded.approval = approval_of(watch, guarded.said)
            given = self.inbound.headers.get(b"x-freehold-approve", b"").decode("latin-1")
            guarded.approved = given == guarded.approval and caller.principal.holds(APPROVE, self.at)
        self.inbound.body = guarded.said.rewritten(guarded.texts, peek.model, watch.profile.system)

    def _begin_guarded(self, armed: Armed, lane: Lane) -> Guarded:
        peek = self.peek
        assert peek is not None
        headers = self.inbound.headers
        forwarded = sorted(
            {name for stop in self.plane.table.stops.values() for name in stop.forwards} & headers.keys()
        )
        said = Said(self.dialect, self.inbound.body, [headers[name].decode("latin-1") for name in forwarded])
        turns = [] if said.request is None else said_of(said.request)
        header = headers.get(b"x-freehold-conversation")
        conversation = peek.conversation if header is None else header.decode("latin-1")
        return Guarded(armed, said, turns, vault_of(armed, lane.team, conversation, turns))

    # The way back

    def watched_answer(self) -> Screen:
        """A screen for the answer of this attempt."""
        guarded, out = self.guarded, self.out
        assert guarded is not None
        stop = self.plan[self.position]
        refused = guarded.armed.refused
        hold = None
        if refused is not None and not stop.owned and self._owned_ahead():
            hold = Hold(refused, stop.name)
        return guarded.watch(out.restore, hold, merges=out.dialect.name in MERGED)

    def screened(self, body: bytes) -> tuple[Usage | None, bytes] | None:
        """What of a whole answer may go out, with its usage; None where its dialect has no texts."""
        guarded, out = self.guarded, self.out
        assert guarded is not None
        if guarded.said.request is None:
            return self._screened_plain(body) if out.dialect.name in TEXTS else None
        answer = out.dialect.decode_answer(body)
        self.told = answer.usage or self.account.estimate(len(body) // 4)
        screen = self.watched_answer()
        new = screen.answer(answer)
        if out.decoded or screen.changed:
            body, lost = self.dialect.encode_answer(new, created=int(self.at))
            out.dropped += tuple(one for one in (*lost, *screen.dropped) if one not in out.dropped)
        return answer.usage, body

    def _screened_plain(self, body: bytes) -> tuple[Usage | None, bytes]:
        """The same for a dialect without a neutral form: every text of its JSON, or the answer as one text."""
        guarded, out = self.guarded, self.out
        assert guarded is not None
        self.told = usage = out.dialect.usage(body) or self.account.estimate(len(body) // 4)
        return usage, self.watched_answer().plain(body, pictures=out.dialect.name in PICTURES)

    def screened_member(self, kept: Kept) -> Kept:
        """What of a member's answer may be served."""
        guarded, out = self.guarded, kept.out
        assert guarded is not None
        screen = guarded.watch(None, None, merges=out.dialect.name in MERGED)
        answer = screen.answer(kept.answer)
        body = kept.body
        if screen.changed and not out.decoded:
            body, lost = out.dialect.encode_answer(answer, created=int(self.at))
            out.dropped += tuple(one for one in (*lost, *screen.dropped) if one not in out.dropped)
        return Kept(answer, body, out, kept.position)

    # Refusals

    def refused_by_vendor(self, status: int, body: bytes) -> FreeholdError | None:
        """What leads to an owned target where a vendor's filter refused; None where it did not, or none is there."""
        stop, guarded = self.plan[self.position], self.guarded
        asks = guarded is not None and guarded.armed.refused is not None and not stop.owned and self._owned_ahead()
        if not asks or status not in FILTERED or not any(mark in body for mark in FILTER_MARKS):
            return None
        return ModelRefused(f"{stop.name}'s filter refused", status=status, retryable=False)

    def _owned_ahead(self) -> bool:
        """Is there an owned target in the plan yet, and none was asked for a refusal's sake?"""
        if self.rerouted or self.steps is not None:
            return False
        return any(stop.owned for stop in self.plan[self.position + 1 :])

    def _again(self, error: FreeholdError, now: float) -> bool:
        """True where another attempt is on its way; a refusal of the model's leads to an owned target, once."""
        if not isinstance(error, ModelRefused):
            return super()._again(error, now)
        if not self._owned_ahead():
            return False
        self.last_error = error.with_traceback(None)  # which holds this call
        self.rerouted = True
        owned = [stop for stop in self.plan[self.position + 1 :] if stop.owned]
        self.plan = (*self.plan[: self.position + 1], *owned)
        self.reset_answer()
        self.position += 1
        self.go_on()
        return True


def stated_labels(header: str) -> tuple[Label | None, dict[int, Label]]:
    """What `x-freehold-label` says: a label of the whole call, labels of single turns, or both.

    `confidential:GDPR; 2=restricted:HIPAA` says the second of the third turn, counted from 0 without the system's.
    What is said of a turn holds for the call too. Raises BadRequest.
    """
    labels: dict[int, Label] = {}
    found: Label | None = None
    for one in header.split(";"):
        number, mark, text = one.partition("=")
        label = parse_label(text if mark else one)
        if not mark:
            found = label if found is None else found.join(label)
        elif number.strip().isdecimal() and len(number) <= MOST_DIGITS:
            labels[int(number)] = label
        else:
            raise BadRequest(f"{number.strip()[:40]!r} is no number of a turn", param="x-freehold-label")
    return found, labels


def lowered_text(used: Lowering | None) -> str:
    """How the journal tells of it; empty for none."""
    return "" if used is None else f"{used.after}; {used.right}: {used.reason[:MOST_REASON]}"
