"""Composites and moves in the call machine: members' answers are read whole, weighed, and served or passed over.

Each member is an attempt like any other: with a permit, a reservation and a frame of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.core.errors import (
    BadRequest,
    FreeholdError,
    JournalUnavailable,
    MissingCredential,
    NoPermittedTarget,
    NotTranslatable,
)
from freehold.gateway.answer import Answering
from freehold.gateway.assemble import events_of
from freehold.gateway.course import Asked, Step, lay, leads
from freehold.gateway.json_splice import joined, members
from freehold.gateway.messages import Answer
from freehold.gateway.outgoing import Outgoing, prepare
from freehold.gateway.ports import Peek
from freehold.gateway.relay import LAST_CHUNK, chunk
from freehold.gateway.routing.choose import drawn
from freehold.gateway.routing.joints import Joint, Move
from freehold.gateway.routing.table import Stop
from freehold.gateway.upstream import Upstream, refuse_compressed
from freehold.gateway.weighing import confidence_of, graded, without_confidence, without_confidence_field

WEIGHED = frozenset({"anthropic_messages", "bedrock_converse", "openai_chat", "openai_responses"})
"""Dialects whose members' answers can be weighed: a body without `stream` asks for a whole one, placed or not."""
STREAMING = ("stream", "stream_options")
"""Members of a request that ask for a stream, in any of these."""


class Kept(msgspec.Struct, frozen=True):
    """A member's whole answer, while it is not decided whether it is served."""

    answer: Answer
    body: bytes
    out: Outgoing
    position: int


class Cascading(Answering):
    """What the call machine does at the steps of a course."""

    watched = False
    """Are this call's bodies kept for the sake of a move?"""
    _kept: Kept | None = None
    _unstreamed: tuple[bytes, Peek] | None = None
    """The caller's request as one whole answer is asked for."""

    def attempt(self) -> None:
        """The attempt at `position`; the first third makes it."""
        raise NotImplementedError

    def go_on(self) -> None:
        """The same, with whatever it raises turned into an answer."""
        raise NotImplementedError

    def refuse(self, error: FreeholdError) -> None:
        """Answer with an error."""
        raise NotImplementedError

    def screened_member(self, kept: Kept) -> Kept:
        """What of a member's answer the guard lets out."""
        raise NotImplementedError

    # The way in

    def steer(self, ways: Sequence[Stop | Joint], move: Move | None, conversation: str) -> None:
        """Lay the plan through joints, and by what a move wants done with this workflow."""
        lane, peek, caller = self.lane, self.peek, self.caller
        assert lane is not None
        assert peek is not None
        assert caller is not None
        body = self.inbound.body
        whole = self.dialect.name in WEIGHED and peek.choices == 1
        asked = Asked(lane.label, lane.mint, self.at, body, whole)
        first: Stop | Joint | None = None
        if move is not None and not caller.service:
            what = conversation or self.id.hex()
            overlay, watch = move.overlay, move.watch
            self.watched = watch is not None and drawn(watch.salt, what) < watch.share
            if overlay is not None and drawn(overlay.salt, what) < overlay.share and leads(move, asked):
                first = move.way if [move.way] != list(ways) else None
        course = lay(ways, first, asked)
        self.plan = course.plan
        if any(course.steps):
            self.steps = course.steps
            self.spare = course.spare

    # Out to a target

    def lenient(self) -> bool:
        """Is this attempt one whose failure, of whatever kind, another target makes good?"""
        step = self._step()
        return step is not None and step.lenient

    def pass_on(self) -> bool:
        """A lenient attempt failed: True where another is on its way."""
        step = self._step()
        assert step is not None
        self.reset_answer()
        if step.onward >= len(self.plan):
            return False
        self.position = step.onward
        self.go_on()
        return True

    def bear(self, now: float) -> None:
        """How long a member is waited for: its whole answer must come in that time."""
        step = self._step()
        if step is not None and step.held and step.joint is not None:
            self.deadline = now + step.joint.composite.member_seconds

    def prepare_step(self, *, strict: bool) -> Outgoing:
        """The body for the next stop that can take it. Raises what `prepare` raises, where there is none."""
        peek = self.peek
        assert peek is not None
        while True:
            step, stop = self._step(), self.plan[self.position]
            body, seen = self._whole_request(peek) if step is not None and step.held else (self.inbound.body, peek)
            try:
                return prepare(self.dialect, body, seen, stop, self.plane.dialects, strict=strict)
            except (BadRequest, MissingCredential, NotTranslatable) as error:
                lenient = step is not None and step.lenient
                following = step.onward if step is not None and lenient else self.position + 1
                if following >= len(self.plan) or (isinstance(error, BadRequest) and not lenient):
                    raise
                self.position = following

    def _step(self) -> Step | None:
        return None if self.steps is None else self.steps[self.position]

    def _whole_request(self, peek: Peek) -> tuple[bytes, Peek]:
        if not peek.stream:
            return self.inbound.body, peek
        if self._unstreamed is None:
            kept = [(name, value) for name, value in members(self.inbound.body).items() if name not in STREAMING]
            self._unstreamed = joined(kept), msgspec.structs.replace(peek, stream=False, wants_usage=True)
        return self._unstreamed

    # A member's answer

    def weigh(self, upstream: Upstream, body: bytes) -> bool:
        """A whole answer came: True where it was a member's, and is dealt with. Raises UpstreamLied."""
        step = self._step()
        if step is None or not step.held or step.joint is None:
            return False
        refuse_compressed(upstream)
        out, joint = self.out, step.joint
        answer = out.dialect.decode_answer(body)
        if out.restore is not None:
            answer = out.restore.answer(answer)
        self._end_attempt(answer.usage or self.account.estimate(len(body) // 4), "held")
        mine = Kept(answer, body, out, self.position)
        if joint.kind == "confidence":
            stated = confidence_of(body) if out.dialect.name == "openai_chat" else None
            self._decide(mine if stated is not None and stated >= joint.composite.threshold else None, step, "unsure")
        elif step.number == 0:
            self._kept = mine
            self.position += 1
            self.go_on()
        else:
            self._compare(mine, step)
        return True

    def _compare(self, mine: Kept, step: Step) -> None:
        """Two answers are there: the first is served where the grader finds that the second says the same."""
        first, joint = self._kept, step.joint
        assert first is not None
        assert joint is not None
        try:
            same = joint.agree(graded(first.answer), graded(mine.answer))
        except FreeholdError as error:  # a grader that broke found no agreement
            self.plane.log_defect(error, self.request_id, self.trace)
            same = False
        self._mark(-1, "agreed" if same else "disagreed")
        self._decide(first if same else None, step, "disagreed", -2)

    def _decide(self, served: Kept | None, step: Step, otherwise: str, number: int = -1) -> None:
        """Serve a kept answer; else go on to where the composite escalates."""
        self._kept = None
        if served is not None:
            # What the caller waited for is the verdict, not the member's first byte.
            self._mark(number, "ok", first_token=self.plane.now() - self.at)
            self._serve(served)
            return
        self._mark(number, otherwise)
        self.position = step.onward
        if self.position >= len(self.plan):
            assert step.joint is not None
            name, resort = step.joint.name, step.joint.escalate.name
            self.position = len(self.plan) - 1
            self.refuse(NoPermittedTarget(f"the members of {name} {otherwise}, and {resort} may not take it"))
            return
        self.go_on()

    def _mark(self, number: int, outcome: str, **more: float) -> None:
        """Say of an attempt that is over how its answer was judged."""
        tried = self.account.tried
        tried[number] = msgspec.structs.replace(tried[number], outcome=outcome, **more)

    def _serve(self, kept: Kept) -> None:
        """Answer with what a member said, in the caller's dialect, as a stream where one was asked for."""
        peek = self.peek
        assert peek is not None
        if self.guarded is not None:
            kept = self.screened_member(kept)
        out = self.out = kept.out
        self.position = kept.position
        asked = b"x-freehold-confidence" in self.inbound.headers
        answer = kept.answer if asked else without_confidence(kept.answer)
        if not peek.stream:
            body = kept.body if asked else without_confidence_field(kept.body)
            if out.decoded:
                body, lost = self.dialect.encode_answer(answer, created=int(self.at))
                out.dropped += tuple(one for one in lost if one not in out.dropped)
            self.delivered = len(body)
            if self.capturing:
                self.capture("response", body)
            self.reply(self._ok_head(len(body), cost=True) + body, "ok", 200, body)
            return
        encoder = self.dialect.stream_encoder(peek, created=int(self.at))
        body = encoder.feed(events_of(answer))
        out.dropped += tuple(one for one in encoder.dropped if one not in out.dropped)
        self.delivered = len(body)
        if self.capturing:
            self.capture("response", body)
        self._reply_stream(body)

    def _reply_stream(self, body: bytes) -> None:
        """A whole stream at once, settled before its first byte."""
        http11 = self.inbound.http11
        data = self._ok_head(None) + (chunk(body) + LAST_CHUNK if http11 else body)
        connection = self.connection

        def reply(failed: JournalUnavailable | None) -> None:
            connection.write(data)
            connection.done(http11)

        self.settle("ok", 200, reply, digest=self._digest_of(body))
