"""One replica, step by step: continuous batching, chunked prefill, a KV limit with preemption, a prefix cache.

Steps that only decode are taken many at a time, up to the next thing that can change the batch, so a request costs a
few turns however long its answer is. Invariant: a request that was offered ends exactly once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush

from freehold.planner.types import Speed

CHUNK = 2048
"""Tokens of one step at most, prompts and answers together: vLLM's default `max_num_batched_tokens` for serving."""
NEVER = -1.0
_FORGET = 0.01


class Requests:
    """What is known of the requests that one simulation serves, and what becomes of them; times in seconds."""

    __slots__ = ("asked", "block_tokens", "blocks", "done", "first", "input", "known", "left", "output")

    def __init__(self, asked: list[float], known: list[int], lengths: tuple[list[int], list[int]]) -> None:
        """`known`: tokens of each prompt that no replica has to compute. `lengths`: of prompts, of answers."""
        self.asked = asked
        self.input, self.output = lengths
        self.known = known
        self.blocks: list[list[int]] | None = None
        """What each prompt begins with; None where nobody knows."""
        self.block_tokens = 1
        self.left = [max(one, 1) for one in self.output]
        """Tokens to make still: even an empty answer takes a step."""
        self.first = [NEVER] * len(asked)
        self.done = [NEVER] * len(asked)


class Engine:
    """One replica at work. `clock` is where its last step ended."""

    __slots__ = (
        "_base",
        "_cache",
        "_chunk",
        "_context",
        "_finishing",
        "_kv",
        "_most",
        "_order",
        "_prefilling",
        "_requests",
        "_speed",
        "_steps",
        "busy",
        "clock",
        "decoding",
        "held",
        "load",
        "mixed",
        "preempted",
        "queued_tokens",
        "quiet",
        "waiting",
    )

    def __init__(self, speed: Speed, requests: Requests, chunk: int = CHUNK, clock: float = 0.0) -> None:
        self._speed, self._requests, self._chunk = speed, requests, chunk
        self._kv, self._most = speed.kv_tokens, speed.max_batch
        self.clock = clock
        self.busy = 0.0
        """Seconds in which a step ran."""
        self.load = 0
        """Requests that are not done."""
        self.quiet = float("inf")
        """Before this moment nothing that is here can end: nobody need look at it to know its load."""
        self.waiting: deque[int] = deque()
        self._prefilling: deque[tuple[int, int]] = deque()
        self.decoding = 0
        self.held = 0
        """KV tokens of all that was admitted."""
        self.queued_tokens = 0
        """Of prompts that are still to be computed."""
        self.mixed = 0.0
        """Share of the last steps that held a piece of a prompt; older ones count less."""
        self.preempted = 0
        self._context = 0
        self._steps = 0
        self._finishing: list[tuple[int, int]] = []
        self._base: dict[int, int] = {}
        self._order: list[int] = []
        self._cache: OrderedDict[int, None] = OrderedDict()

    @property
    def context(self) -> int:
        """KV tokens that the next step reads."""
        return self._context

    def fits(self, request: int) -> bool:
        """Whether it could be served on an empty replica at all."""
        return self._requests.input[request] + max(self._requests.output[request], 1) <= self._kv

    def offer(self, request: int, now: float) -> None:
        """Takes a request that fits, which waits from now on."""
        if not self.load and self.clock < now:
            self.clock = now
        self.waiting.append(request)
        self.load += 1
        self.quiet = self.clock
        self.queued_tokens += self._prompt(request)

    def advance(self, until: float) -> None:
        """Runs every step that begins before `until`."""
        while self.clock < until:
            if self.waiting:
                self._admit()
            if self._prefilling:
                self._mixed()
            elif self.decoding:
                self._decode(until)
            else:
                break
        if self.waiting or self._prefilling:
            self.quiet = self.clock
        elif self.decoding:
            steps = self._finishing[0][0] - self._steps - 1
            self.quiet = self.clock + steps * self._speed.step_seconds(0, self.decoding, self._context)
        else:
            self.quiet = float("inf")

    def _prompt(self, request: int) -> int:
        """Tokens to have in the cache before it can go on: after a preemption those it made, too."""
        requests = self._requests
        return requests.input[request] + max(requests.output[request], 1) - requests.left[request]

    def _admit(self) -> None:
        waiting = self.waiting
        while waiting and len(self._prefilling) + self.decoding < self._most:
            request = waiting[0]
            prompt = self._prompt(request)
            if self.held + prompt + self.decoding + 1 > self._kv and self.held:
                return
            waiting.popleft()
            self.held += prompt
            self._prefilling.append((request, max(prompt - self._hits(request), 1)))

    def _hits(self, request: int) -> int:
        """Tokens of the prompt that are here already; the last one is always computed."""
        blocks = self._requests.blocks
        if blocks is None:
            return self._requests.known[request]
        found = 0
        for one in blocks[request]:
            if one not in self._cache:
                break
            self._cache.move_to_end(one)
            found += self._requests.block_tokens
        return min(found, self._requests.input[request] - 1)

    def _mixed(self) -> None:
        """One step with a piece of one prompt or more in it."""
        if self.held + self.decoding > self._kv and self._preempt():
            return
        budget, taken, read = max(self._chunk - self.decoding, 1), 0, self._context
        ready: list[int] = []
        while self._prefilling and taken < budget:
            request, left = self._prefilling[0]
            read += max(self._prompt(request) - left, 0)
            piece = min(left, budget - taken)
            taken += piece
            if piece < left:
                self._prefilling[0] = (request, left - piece)
                break
            ready.append(request)
            self._prefilling.popleft()
        self._pass(self._speed.step_seconds(taken, self.decoding, read), 1)
        self.mixed += (1.0 - self.mixed) * _FORGET
        for request in ready:
            self._begin(request)

    def _begin(self, request: int) -> None:
        """Its prompt is computed: that step made its first token, or its next after a preemption."""
        requests = self._requests
        prompt = self._prompt(request)
        self.queued_tokens -= prompt
        if requests.first[request] < 0.0:
            requests.first[request] = self.clock
        requests.left[request] -= 1
        if requests.blocks is not None:
            self._keep(requests.blocks[request])
        if not requests.left[request]:
            requests.done[request] = self.clock
            self.load -= 1
            self.held -= prompt
            return
        self.decoding += 1
        self.held += 1
        self._context += prompt + 1
        self._base[request] = prompt + 1 - self._steps
        self._order.append(request)
        heappush(self._finishing, (self._steps + requests.left[request], request))

    def _decode(self, until: float) -> None:
        """Steps that only decode, as many as nothing can change in between."""
        batch = self.decoding
        if self.held + batch > self._kv and self._preempt():
            return
        count = self._finishing[0][0] - self._steps
        if self.held + batch * count > self._kv:
            count = max((self._kv - self.held) // batch, 1)
        # The context grows by one token a sequence and step: the step in the middle stands for all.
        seconds = self._speed.step_seconds(0, batch, self._context + batch * (count - 1) // 2)
        if count > 1 and self.clock + (count - 1) * seconds >= until:
            count = max(int((until - self.clock) / seconds), 1)
            seconds = self._speed.step_seconds(0, batch, self._context + batch * (count - 1) // 2)
        self._pass(seconds * count, count)
        self.mixed *= (1.0 - _FORGET) ** count

    def _pass(self, seconds: float, steps: int) -> None:
        self.clock += seconds
        self.busy += seconds
        if not self.decoding:
            return
        self._steps += steps
        self._context += self.decoding * steps
        self.held += self.decoding * steps
        finishing = self._finishing
        while finishing and finishing[0][0] <= self._steps:
            request = heappop(finishing)[1]
            self._leave(request)
            self.load -= 1
            self._requests.left[request] = 0
            self._requests.done[request] = self.clock

    def _leave(self, request: int) -> None:
        size = self._base.pop(request) + self._steps
        self._context -= size
        self.held -= size
        self.decoding -= 1

    def _preempt(self) -> bool:
        """Sends the sequence that came last back to the queue, to be computed anew, as vLLM does; False for none."""
        while self._order and self._order[-1] not in self._base:
            self._order.pop()
        if self.decoding + len(self._prefilling) < 2 or not self._order:
            return False
        request = self._order.pop()
        end = next(one for one in self._finishing if one[1] == request)
        self._finishing.remove(end)
        self._finishing.sort()  # a sorted list is a heap
        self._requests.left[request] = end[0] - self._steps
        self._leave(request)
        self.preempted += 1
        self.waiting.appendleft(request)
        self.queued_tokens += self._prompt(request)
        return True

    def _keep(self, blocks: list[int]) -> None:
        for one in blocks:
            self._cache[one] = None
        room = max(self._kv - self.held, 0) // self._requests.block_tokens
        while len(self._cache) > room:
            self._cache.popitem(last=False)
