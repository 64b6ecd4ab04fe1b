"""The official SDKs, sync and async behind one face each, so that one test runs through both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai

from tests.e2e.instance import Instance

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="  # one pixel
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}},
    "required": ["city"],
    "additionalProperties": False,
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, since nothing here is https: loading the system's authorities takes longer than most tests."""


def ask(text: str) -> list[Any]:
    """One message of the user."""
    return [{"role": "user", "content": text}]


def openai_client(instance: Instance, key: str | None = None, **more: Any) -> openai.OpenAI:
    """A sync client of OpenAI's SDK; retries are ours to test, so it makes none."""
    http = openai.DefaultHttpxClient(verify=PLAIN)
    base = f"{instance.base}/v1"
    return openai.OpenAI(api_key=key or instance.key, base_url=base, max_retries=0, http_client=http, **more)


def async_openai_client(instance: Instance, key: str | None = None, **more: Any) -> openai.AsyncOpenAI:
    """The async one."""
    http = openai.DefaultAsyncHttpxClient(verify=PLAIN)
    base = f"{instance.base}/v1"
    return openai.AsyncOpenAI(api_key=key or instance.key, base_url=base, max_retries=0, http_client=http, **more)


def anthropic_client(instance: Instance, key: str | None = None, **more: Any) -> anthropic.Anthropic:
    """A sync client of Anthropic's SDK."""
    http = anthropic.DefaultHttpxClient(verify=PLAIN)
    given = {"api_key": key or instance.key, "base_url": instance.base, "max_retries": 0, **more}
    return anthropic.Anthropic(http_client=http, **given)


def async_anthropic_client(instance: Instance, key: str | None = None, **more: Any) -> anthropic.AsyncAnthropic:
    """The async one."""
    http = anthropic.DefaultAsyncHttpxClient(verify=PLAIN)
    given = {"api_key": key or instance.key, "base_url": instance.base, "max_retries": 0, **more}
    return anthropic.AsyncAnthropic(http_client=http, **given)


@dataclass
class OpenAi:
    """Chat completions of the OpenAI SDK, sync or async."""

    instance: Instance
    sync: bool
    key: str | None = None

    def run(self, what: Callable[[Any], Any]) -> Any:
        """`what` with a client; its awaitable is awaited."""
        if self.sync:
            with openai_client(self.instance, self.key) as client:
                return what(client)
        return asyncio.run(self._run(what))

    async def _run(self, what: Callable[[Any], Awaitable[Any]]) -> Any:
        async with async_openai_client(self.instance, self.key) as client:
            return await what(client)

    def create(self, **fields: Any) -> Any:
        """A completion."""
        return self.run(lambda client: client.chat.completions.create(**fields))

    def chunks(self, **fields: Any) -> list[Any]:
        """The chunks of a stream."""

        def sync(client: Any) -> list[Any]:
            return list(client.chat.completions.create(stream=True, **fields))

        async def gathered(client: Any) -> list[Any]:
            return [one async for one in await client.chat.completions.create(stream=True, **fields)]

        found: list[Any] = self.run(sync if self.sync else gathered)
        return found

    def helped(self, **fields: Any) -> Any:
        """The completion that the SDK's stream helper put together."""

        def sync(client: Any) -> Any:
            with client.chat.completions.stream(**fields) as stream:
                for _ in stream:
                    pass
                return stream.get_final_completion()

        async def gathered(client: Any) -> Any:
            async with client.chat.completions.stream(**fields) as stream:
                async for _ in stream:
                    pass
                return await stream.get_final_completion()

        return self.run(sync if self.sync else gathered)


@dataclass
class Messages:
    """Messages of the Anthropic SDK, sync or async."""

    instance: Instance
    sync: bool
    key: str | None = None

    def run(self, what: Callable[[Any], Any]) -> Any:
        """`what` with a client; its awaitable is awaited."""
        if self.sync:
            with anthropic_client(self.instance, self.key) as client:
                return what(client)
        return asyncio.run(self._run(what))

    async def _run(self, what: Callable[[Any], Awaitable[Any]]) -> Any:
        async with async_anthropic_client(self.instance, self.key) as client:
            return await what(client)

    def create(self, **fields: Any) -> Any:
        """A message."""
        return self.run(lambda client: client.messages.create(**fields))

    def events(self, **fields: Any) -> list[Any]:
        """The raw events of a stream."""

        def sync(client: Any) -> list[Any]:
            return list(client.messages.create(stream=True, **fields))

        async def gathered(client: Any) -> list[Any]:
            return [one async for one in await client.messages.create(stream=True, **fields)]

        found: list[Any] = self.run(sync if self.sync else gathered)
        return found

    def helped(self, **fields: Any) -> Any:
        """The message that the SDK's stream helper put together."""

        def sync(client: Any) -> Any:
            with client.messages.stream(**fields) as stream:
                return stream.get_final_message()

        async def gathered(client: Any) -> Any:
            async with client.messages.stream(**fields) as stream:
                return await stream.get_final_message()

        return self.run(sync if self.sync else gathered)

    def raw(self, name: str = "create", **fields: Any) -> tuple[Any, Any]:
        """Headers and value of a method's raw response."""

        def sync(client: Any) -> tuple[Any, Any]:
            got = getattr(client.messages.with_raw_response, name)(**fields)
            return got.headers, got.parse()

        async def gathered(client: Any) -> tuple[Any, Any]:
            got = await getattr(client.messages.with_raw_response, name)(**fields)
            return got.headers, await got.parse()

        found: tuple[Any, Any] = self.run(sync if self.sync else gathered)
        return found
