"""A fake of Anthropic's message batches, from its API reference: what is put in is run when the test says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.fake_anthropic import FakeAnthropic, error_body, message
from tests.fakes.replies import derived
from tests.fakes.wire import Recorded, Streamed, Whole


class FakeMessageBatches(FakeAnthropic):
    """The fake; its base path is `/v1`."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.batches: dict[str, dict[str, Any]] = {}
        self.inputs: dict[str, list[dict[str, Any]]] = {}
        self.shows_left = 1
        """How often a batch is shown under way before it ends."""
        self.runs = 10**9
        """How many lines are run before it ends."""
        self.odd: dict[str, dict[str, Any]] = {}
        """Results of lines whose last user message is this text."""

    @property
    def submitted(self) -> list[str]:
        """Every line that was ever put into a batch, by its name."""
        return [line["custom_id"] for lines in self.inputs.values() for line in lines]

    def answer(self, request: Recorded) -> Whole | Streamed:
        path = urlsplit(request.path).path
        if not path.startswith("/v1/messages/batches"):
            return super().answer(request)
        rest = path.removeprefix("/v1/messages/batches").strip("/").split("/")
        if request.method == "POST" and not rest[0]:
            return self._made(request.json["requests"])
        if not rest[0]:
            return _told({"data": list(reversed(self.batches.values())), "has_more": False})
        if rest[0] not in self.batches:
            return Whole(error_body(404, "no such batch"), 404)
        one = self.batches[rest[0]]
        if request.method == "DELETE":
            del self.batches[rest[0]]
            return _told({"id": rest[0], "type": "message_batch_deleted"})
        if rest[1:] == ["results"]:
            return Whole(b"\n".join(self._results(rest[0])))
        if rest[1:] == ["cancel"]:
            one["processing_status"], one["shows"] = "canceling", 0
        elif not one["shows"]:
            one["processing_status"] = "ended"
        else:
            one["shows"] -= 1
        return _told(one)

    def _made(self, lines: list[dict[str, Any]]) -> Whole:
        made = f"msgbatch_{len(self.inputs):06d}"
        self.inputs[made] = lines
        self.batches[made] = {
            "id": made,
            "type": "message_batch",
            "processing_status": "in_progress",
            "created_at": datetime.now(UTC).isoformat(),
            "request_counts": {"processing": len(lines), "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
            "shows": self.shows_left,
        }
        return _told(self.batches[made])

    def _results(self, batch: str) -> list[bytes]:
        found = []
        for number, line in enumerate(self.inputs[batch]):
            text = _text(line["params"]["messages"][-1]["content"])
            if number >= self.runs:
                result: dict[str, Any] = {"type": "expired"}
            elif text in self.odd:
                result = self.odd[text]
            else:
                reply = self.reply_for(derived(text, [], None, 0))
                result = {"type": "succeeded", "message": message(line["params"], reply)}
            found.append(json.dumps({"custom_id": line["custom_id"], "result": result}).encode())
        return found[::-1]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)


def _told(value: Any) -> Whole:
    return Whole(json.dumps(value).encode())
