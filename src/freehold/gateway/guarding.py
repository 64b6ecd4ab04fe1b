"""The guard in the call machine: the request is looked at before its label is final, the answer before it goes out.

Fail closed: a label only rises, what a detector failed on is unknown, and an answer that cannot be looked at is cut.
Only a key with the right to can have a label lowered; that stands in the journal with its reason.
"""

from __future__ import annotations

from freehold.core.errors import BadRequest, FreeholdError
from freehold.core.label import UNKNOWN, Label, parse_label
from freehold.gateway.armed import Armed, Unarmed, Watch
from freehold.gateway.callers import Caller
from freehold.gateway.cascade import Kept
from freehold.gateway.errors import GuardBlocked, GuardUnavailable, LabelRightNeeded, ModelRefused
from freehold.gateway.failing import Failing
from freehold.gateway.guarded import Guarded, approval_of, vault_of
from freehold.gateway.lanes import Lane, lane_of
from freehold.gateway.recall import said_of
from freehold.gateway.refusing import Hold
from freehold.gateway.routing.table import Path
from freehold.gateway.screen import Screen
from freehold.gateway.texts import Said
from freehold.ledger.frames import Scan
from freehold.ledger.meter import Usage
from freehold.policy.permits import Mint

DECLASSIFY, APPROVE = "declassify", "approve"
"""Rights of a key, as `identity` names them."""
MOST_REASON = 200
"""Characters of a reason that are kept."""


class Guarding(Failing):
    """The call machine where it looks at content."""

    turn_labels: dict[int, Label]
    """What a header said of single turns."""

    # The label

    def lane_for(self, caller: Caller, path: Path, mint: Mint, stated: bytes | None) -> Lane:
        """The lane by what the headers say of the content. Raises BadRequest, LabelRightNeeded, NoPermittedTarget."""
        if stated is not None:
            self.raised, self.turn_labels = stated_labels(stated.decode("latin-1"))
        if caller.lowers:
            header = self.inbound.headers.get(b"x-freehold-declassify")
            if header is not None:
                self._lower(caller, path, header.decode("latin-1"))
        if self.raised is None and self.lowered is None:
            return lane_of(caller, path, mint)
        return Lane(caller, path, mint, self.raised, self.lowered)

    def _lower(self, caller: Caller, path: Path, header: str) -> None:
        """Take the caller's word for a lower label. It replaces what key, header, memory and detectors say."""
        if not caller.principal.holds(DECLASSIFY, self.at):
            raise LabelRightNeeded(f"this key may not lower a label: it has not the right {DECLASSIFY!r}")
        text, _, reason = header.partition(";")
        reason = reason.strip()
        if not reason or not reason.isprintable():
            raise BadRequest(
                "a label is lowered for a reason",
                hint="send x-freehold-declassify: LABEL; REASON",
                param="x-freehold-declassify",
            )
        self.lowered = parse_label(text)
        self.lowered_why = f"{self.lowered}; {reason[:MOST_REASON]}"
        before = caller.label if path.label is None else caller.label.join(path.label)
        if self.raised is not None:
            before = before.join(self.raised)
        self.scan = Scan(guard="", digest="", label=str(before), lowered=self.lowered_why)

    # The way in

    def guard(self, watch: Watch) -> None:
        """Look at the request, join what is found to its label, and put what may go on in its place.

        Raises GuardUnavailable, GuardBlocked, LabelRightNeeded, NoPermittedTarget, BadRequest.
        """
        caller, lane, peek = self.caller, self.lane, self.peek
        assert caller is not None
        assert lane is not None
        assert peek is not None
        if isinstance(watch, Unarmed):
            raise GuardUnavailable(watch.fault)
        headers = self.inbound.headers
        if not caller.lowers and b"x-freehold-declassify" in headers:
            raise LabelRightNeeded(f"this key may not lower a label: it has not the right {DECLASSIFY!r}")
        guarded = self.guarded = self._begin_guarded(watch, lane)
        guarded.stated = lane.label_text
        known = watch.recall.label_of(guarded.turns)
        watch.recall.stated(guarded.turns, self.raised, self.turn_labels if self.raised is not None else {})
        seen = guarded.inspect()
        found = [one for one in (known, seen.label, UNKNOWN if guarded.failed else None) if one is not None]
        for one in found:
            self.raised = one if self.raised is None else self.raised.join(one)
        if guarded.failed and self.lowered is not None:  # a person judged the content, not the failure
            self.lowered = self.lowered.join(UNKNOWN)
        self.scan = guarded.request_scan(self.lowered_why)
        if seen.blocked:
            raise GuardBlocked(f"the request holds {seen.blocked}, which this route does not let through")
        if found:
            self.lane = Lane(caller, lane.path, self.plane.mint, self.raised, self.lowered)
        if seen.ask:
            guarded.approval = approval_of(watch, guarded.said)
            given = headers.get(b"x-freehold-approve", b"").decode("latin-1")
            guarded.approved = given == guarded.approval and caller.principal.holds(APPROVE, self.at)
        self.inbound.body = guarded.said.rewritten(guarded.texts, peek.model, watch.profile.system)

    def _begin_guarded(self, armed: Armed, lane: Lane) -> Guarded:
        peek = self.peek
        assert peek is not None
        said = Said(self.dialect, self.inbound.body)
        turns = [] if said.request is None else said_of(said.request)
        header = self.inbound.headers.get(b"x-freehold-conversation")
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
        return guarded.watch(out.restore, hold, merges=out.dialect.name == "openai_chat")

    def screened(self, body: bytes) -> tuple[Usage | None, bytes] | None:
        """What of a whole answer may go out, with its usage; None where its dialect has no texts."""
        guarded, out = self.guarded, self.out
        assert guarded is not None
        if guarded.said.request is None:
            return None
        answer = out.dialect.decode_answer(body)
        self.told = answer.usage or self.account.estimate(len(body) // 4)
        screen = self.watched_answer()
        new = screen.answer(answer)
        if out.decoded or screen.changed:
            body, lost = self.dialect.encode_answer(new, created=int(self.at))
            out.dropped += tuple(one for one in (*lost, *screen.dropped) if one not in out.dropped)
        return answer.usage, body

    def screened_member(self, kept: Kept) -> Kept:
        """What of a member's answer may be served."""
        guarded, out = self.guarded, kept.out
        assert guarded is not None
        screen = guarded.watch(None, None, merges=out.dialect.name == "openai_chat")
        answer = screen.answer(kept.answer)
        body = kept.body
        if screen.changed and not out.decoded:
            body, lost = out.dialect.encode_answer(answer, created=int(self.at))
            out.dropped += tuple(one for one in (*lost, *screen.dropped) if one not in out.dropped)
        return Kept(answer, body, out, kept.position)

    # Refusals

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
        self.last_error = error
        self.rerouted = True
        owned = [stop for stop in self.plan[self.position + 1 :] if stop.owned]
        self.plan = (*self.plan[: self.position + 1], *owned)
        self.reset_answer()
        self.position += 1
        self.go_on()
        return True


def stated_labels(header: str) -> tuple[Label, dict[int, Label]]:
    """What `x-freehold-label` says: a label of the whole call, labels of single turns, or both.

    `confidential:GDPR; 2=restricted:HIPAA` says it of the third turn, counted from 0 without the system's. Whatever
    is said of a turn holds for the call. Raises BadRequest.
    """
    labels: dict[int, Label] = {}
    found: Label | None = None
    for one in header.split(";"):
        number, mark, text = one.partition("=")
        label = parse_label(text if mark else one)
        if mark:
            if not number.strip().isdecimal() or len(number) > 6:
                raise BadRequest(f"{number.strip()[:40]!r} is no number of a turn", param="x-freehold-label")
            labels[int(number)] = label
        found = label if found is None else found.join(label)
    assert found is not None
    return found, labels
