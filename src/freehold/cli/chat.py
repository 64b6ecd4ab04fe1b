"""`freehold chat`: talks to a route through the gateway, as any application would."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import Refused, segment
from freehold.cli.commands import Verb
from freehold.cli.door import Door
from freehold.cli.output import emit_json, json_option, say
from freehold.cli.place import Place
from freehold.core.errors import NotRunning, UpstreamLied

if TYPE_CHECKING:
    from freehold.settings.location import Endpoints

KEY_SECONDS = 3600.0


@click.command(cls=Verb)
@click.argument("text", nargs=-1)
@click.option("--route", default="owned-chat", show_default=True, help="Route to talk to.")
@click.option("--label", default="internal", show_default=True, help="Label of what you say, for the key made for it.")
@click.option("--max-tokens", type=click.IntRange(1), default=512, show_default=True, help="Longest answer.")
@json_option
@click.pass_obj
def chat(place: Place, text: tuple[str, ...], route: str, label: str, max_tokens: int, *, as_json: bool) -> None:
    """Say TEXT and print the answer; without TEXT, talk until Ctrl-D.

    Uses the key in FREEHOLD_KEY, else one made for this talk, which ends with it.
    """
    with _key(place, label) as (key, endpoints):
        door = Door(endpoints, key)
        door.wait_for_key()
        talk = _Talk(door, {"model": route, "max_tokens": max_tokens, "stream": True})
        if text:
            turns = [{"role": "user", "content": " ".join(text)}]
            answer = talk.ask(turns, echo=not as_json)
            if as_json:
                emit_json(answer)
            return
        _converse(talk)


def _converse(talk: _Talk) -> None:
    turns: list[dict[str, str]] = []
    say("Ctrl-D ends the talk")
    while True:
        try:
            turns.append({"role": "user", "content": click.prompt(">", prompt_suffix=" ", err=True)})
        except click.Abort:
            return
        answer = talk.ask(turns, echo=True)
        turns.append({"role": "assistant", "content": answer["content"]})


@contextmanager
def _key(place: Place, label: str) -> Iterator[tuple[str, Endpoints]]:
    """A key and where the gateway answers; a key made here is revoked at the end."""
    from freehold.settings.environment import KEY, variable
    from freehold.settings.location import read_endpoints

    endpoints = read_endpoints(place.home)
    if endpoints is None:
        raise NotRunning(f"no instance runs in {place.home}")
    if variable(KEY):
        yield variable(KEY), endpoints
        return
    client = place.client()
    name = f"chat-{secrets.token_hex(4)}"
    body = {"name": name, "label": label, "expires_at": time.time() + KEY_SECONDS}
    made = client.post("/api/keys", body)
    try:
        yield made["secret"], endpoints
    finally:
        client.post(f"/api/keys/{segment(name)}/revoke")


class _Talk:
    """One route, spoken to in the OpenAI dialect."""

    def __init__(self, door: Door, fixed: dict[str, Any]) -> None:
        self._door = door
        self._fixed = fixed

    def ask(self, turns: list[dict[str, str]], *, echo: bool) -> dict[str, Any]:
        """The answer's text and the call's id; streamed to standard output where `echo` is set."""
        response = self._door.post("/v1/chat/completions", {**self._fixed, "messages": turns})
        pieces: list[str] = []
        ended = False
        for line in response:
            data = line.decode().removeprefix("data:").strip()
            if not line.startswith(b"data:") or not data:
                continue
            if data == "[DONE]":
                ended = True  # and on to the end: who leaves before the last chunk is taken to have hung up
                continue
            chunk = json.loads(data)
            if "error" in chunk:
                raise Refused.of(chunk["error"])
            for choice in chunk.get("choices", ()):
                piece = choice.get("delta", {}).get("content") or ""
                pieces.append(piece)
                if echo:
                    sys.stdout.write(piece)
                    sys.stdout.flush()
        if echo:
            sys.stdout.write("\n")
        if not ended:
            raise UpstreamLied("the stream ended before its end mark")
        found = {name: response.getheader(name) for name in ("x-request-id", "x-freehold-target")}
        return {"content": "".join(pieces), "call": found["x-request-id"], "target": found["x-freehold-target"]}
