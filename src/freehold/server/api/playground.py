"""One prompt to up to four models, through the gateway, in the name of a key; over the management API.

A key that is pasted is sent to the gateway alone: it is neither kept nor written down here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from freehold.batches.asking import AS
from freehold.core.errors import BadRequest, NotFound, NotRunning
from freehold.core.section import LabelText
from freehold.gateway.routing.table import PIN
from freehold.identity import store as keys
from freehold.identity.roles import demand, key_permissions
from freehold.identity.service import service_key
from freehold.ledger import store
from freehold.ledger.records import CallRecord
from freehold.server.actors import Actor, Allowed, Served
from freehold.server.instance import Instance
from freehold.server.playground import Event, Question, Talk
from freehold.settings.location import Endpoints, read_endpoints

router = APIRouter(prefix="/api/playground", tags=["playground"])

Asker = Annotated[Actor, Depends(Allowed("routes:read"))]
MOST_MODELS = 4
_KEY = re.compile(r"[!-~]{1,512}")


class PlaygroundBody(BaseModel):
    """What is asked, of whom, and in whose name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    models: tuple[str, ...] = Field(
        min_length=1, max_length=MOST_MODELS, description="Routes; or `target:NAME`, asked as Freehold itself."
    )
    prompt: str = Field(min_length=1, max_length=400_000)
    system: str = Field("", max_length=100_000)
    max_tokens: int = Field(512, ge=1, le=32_768)
    temperature: float | None = Field(None, ge=0, le=2)
    secret: SecretStr | None = Field(None, description="A virtual key to ask with; it is kept nowhere.")
    key: str = Field("", description="Or the name of one, to ask in its name; needs keys:write.")
    label: LabelText = Field("", description="Of what is asked, joined to the key's; of a target it must be said.")


@router.post(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "Events, one JSON object a line."}},
)
def ask(body: PlaygroundBody, instance: Served, actor: Asker) -> StreamingResponse:
    """Ask, and tell what comes back, one JSON object a line: `began`, `text`, `end`, `error`.

    Each question is a call like any other: key, label, policy, guard, budget and receipt hold for it.
    """
    door = read_endpoints(instance.home)
    if door is None:
        raise NotRunning("the gateway of this instance was not started", hint="start it with: freehold up")
    questions = _questions(body, instance, actor)
    lines = _lines(door, instance, questions)
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"cache-control": "no-store"})


def _questions(body: PlaygroundBody, instance: Instance, actor: Actor) -> tuple[Question, ...]:
    """Raises BadRequest, Forbidden, NotFound."""
    if len(set(body.models)) < len(body.models):
        raise BadRequest("each model is asked once", param="models")
    targets = tuple(one for one in body.models if one.startswith(PIN))
    if body.secret is not None and body.key:
        raise BadRequest("give a key or its name, not both", param="key")
    if body.secret is not None and targets:
        hint = "name a route that leads there, or leave the key out"
        raise BadRequest("a key asks routes: a target is asked as Freehold itself", hint=hint, param="models")
    if body.secret is None and not body.key and len(targets) < len(body.models):
        raise BadRequest("say with which key, or in whose name", param="key")
    if targets and not body.label:
        raise BadRequest("a target is asked with a label: say how sensitive this is", param="label")
    door = {name: f"Bearer {secret}" for name, secret in _secrets(body, instance, actor, targets).items()}
    return tuple(
        Question(
            model=one,
            body=_asked(body, one),
            headers={"authorization": door[one], **({"x-freehold-label": body.label} if body.label else {})},
        )
        for one in body.models
    )


def _secrets(body: PlaygroundBody, instance: Instance, actor: Actor, targets: tuple[str, ...]) -> dict[str, str]:
    """By model, what opens the gateway for it."""
    if body.secret is not None:
        secret = body.secret.get_secret_value().strip()
        if not _KEY.fullmatch(secret):
            raise BadRequest("this is no key", hint="paste it whole, and nothing else", param="secret")
        return dict.fromkeys(body.models, secret)
    content: dict[str, object] = {"models": list(body.models)}
    found: dict[str, str] = {}
    if targets:
        demand(actor.role, "evals:write")
        found |= dict.fromkeys(targets, service_key(instance.home))
        content["label"] = body.label
    if body.key:
        demand(actor.role, "keys:write")
        with instance.reading() as connection:
            key = keys.by_name(connection, body.key)
        if key_permissions(key.role) or key.rights:  # as for whoever would make one
            demand(actor.role, "keys:admin")
        routes = [one for one in body.models if one not in targets]
        found |= dict.fromkeys(routes, f"{service_key(instance.home)}{AS}{key.id}")
        content["key"] = key.name
    instance.note(actor.name, "playground.ask", content)
    return found


def _asked(body: PlaygroundBody, model: str) -> bytes:
    turns = [{"role": "system", "content": body.system}] if body.system else []
    asked: dict[str, object] = {
        "model": model,
        "messages": [*turns, {"role": "user", "content": body.prompt}],
        "max_tokens": body.max_tokens,
        "stream": True,
    }
    if body.temperature is not None:
        asked["temperature"] = body.temperature
    return json.dumps(asked).encode()


async def _lines(door: Endpoints, instance: Instance, questions: tuple[Question, ...]) -> AsyncIterator[bytes]:
    """Events as they come; who leaves hangs up."""
    heard: asyncio.Queue[Event | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(event: Event | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: this process ends
            loop.call_soon_threadsafe(heard.put_nowait, event)

    def settled(call: str) -> CallRecord | None:
        with instance.reading() as connection:
            try:
                return store.show_call(connection, call).call
            except NotFound:
                return None

    talk = Talk(door, settled, tell)
    talk.begin(questions)
    waiting = len(questions)
    try:
        while waiting:
            event = await heard.get()
            if event is None:
                waiting -= 1
            else:
                yield msgspec.json.encode(event) + b"\n"
    finally:
        talk.hang_up()
