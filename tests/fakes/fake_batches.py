"""A fake of OpenAI's files and batches, from its API reference: what is uploaded is run when the test says so."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.fake_openai import CREATED, FakeOpenAi, completion, error_body
from tests.fakes.replies import Reply, derived
from tests.fakes.wire import Recorded, Streamed, Whole

ENDED = ("completed", "failed", "expired", "cancelled")


class FakeOpenAiBatches(FakeOpenAi):
    """The fake; its base path is `/v1`."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.files: dict[str, tuple[str, bytes]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.shows_left = 1
        """How often a batch is shown under way before it ends; -1 for ever."""
        self.ends_as = "completed"
        self.runs = 10**9
        """How many lines are run before it ends."""
        self.echoes = False
        """Does it answer with what it was asked?"""
        self.odd: dict[str, tuple[int, Any]] = {}
        """Status and body of lines whose last user message is this text."""

    @property
    def submitted(self) -> list[str]:
        """Every line that was ever put into a batch, by its name."""
        found = []
        for one in self.batches.values():
            found += [line["custom_id"] for line in self._lines(one["input"])]
        return found

    def answer(self, request: Recorded) -> Whole | Streamed:
        parts = urlsplit(request.path)
        noun, *rest = parts.path.removeprefix("/v1/").split("/")
        if noun == "files":
            return self._file(request, rest)
        if noun == "batches":
            return self._batch(request, rest, parse_qs(parts.query))
        return super().answer(request)

    def _file(self, request: Recorded, rest: list[str]) -> Whole:
        if request.method == "POST":
            name, data = uploaded(request)
            made = f"file-{len(self.files) + len(self.requests):06d}"
            self.files[made] = (name, data)
            return _told(self._file_object(made))
        if not rest:
            return _told({"object": "list", "data": [self._file_object(one) for one in self.files], "has_more": False})
        if rest[0] not in self.files:
            return Whole(error_body(404, f"No such File object: {rest[0]}"), 404)
        if request.method == "DELETE":
            del self.files[rest[0]]
            return _told({"id": rest[0], "object": "file", "deleted": True})
        return Whole(self.files[rest[0]][1]) if rest[1:] == ["content"] else _told(self._file_object(rest[0]))

    def _file_object(self, one: str) -> dict[str, Any]:
        name, data = self.files[one]
        told = {"id": one, "object": "file", "bytes": len(data), "created_at": CREATED, "filename": name}
        return {**told, "purpose": "batch", "status": "processed"}

    def _batch(self, request: Recorded, rest: list[str], query: dict[str, list[str]]) -> Whole:
        if request.method == "POST" and not rest:
            wish = request.json
            if wish["input_file_id"] not in self.files:
                return Whole(error_body(400, "The input file does not exist."), 400)
            made = f"batch_{len(self.batches):06d}"
            told = {"id": made, "object": "batch", "status": "in_progress", "created_at": CREATED, **wish}
            self.batches[made] = {**told, "input": self.files[wish["input_file_id"]][1], "shows": self.shows_left}
            return self._show(made)
        if not rest:
            found = [self._shown(one) for one in reversed(self.batches)]
            return _told({"object": "list", "data": found, "has_more": False})
        if rest[0] not in self.batches:
            return Whole(error_body(404, "No batch found"), 404)
        one = self.batches[rest[0]]
        if rest[1:] == ["cancel"]:
            one["shows"], self.ends_as = 0, "cancelled"
        elif one["status"] not in ENDED:
            if not one["shows"]:
                self._run_lines(one)
            one["shows"] -= 1
        return self._show(rest[0])

    def _run_lines(self, one: dict[str, Any]) -> None:
        good, bad = [], []
        for number, line in enumerate(self._lines(one["input"])):
            status, body = self._answer_line(line["body"]) if number < self.runs else (0, None)
            told = {"id": f"batch_req_{number}", "custom_id": line["custom_id"], "response": None, "error": None}
            if status:
                told["response"] = {"status_code": status, "request_id": f"req_{number}", "body": body}
            else:
                told["error"] = {"code": f"batch_{self.ends_as}", "message": "not run"}
            (good if status == 200 else bad).append(json.dumps(told).encode())
        one["status"] = self.ends_as
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines and self.ends_as != "failed":
                made = f"file-{name[:3]}-{one['id']}"
                self.files[made] = (name, b"\n".join(reversed(lines)) + b"\n")  # in no order
                one[name] = made

    def _answer_line(self, body: dict[str, Any]) -> tuple[int, Any]:
        text = body["messages"][-1]["content"]
        if text in self.odd:
            return self.odd[text]
        otherwise = Reply(text=text) if self.echoes else derived(text, [], None, 0)
        return 200, completion(body, self.reply_for(otherwise))

    def _show(self, one: str) -> Whole:
        return _told(self._shown(one))

    def _shown(self, one: str) -> dict[str, Any]:
        return {name: value for name, value in self.batches[one].items() if name not in ("input", "shows")}

    @staticmethod
    def _lines(data: bytes) -> list[dict[str, Any]]:
        return [json.loads(one) for one in data.splitlines()]


def uploaded(request: Recorded) -> tuple[str, bytes]:
    """Name and content of the one file of a form."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return head.partition(b'filename="')[2].partition(b'"')[0].decode(), content.removesuffix(b"\r\n")
    raise ValueError("no file")


def _told(value: Any) -> Whole:
    return Whole(json.dumps(value).encode())
