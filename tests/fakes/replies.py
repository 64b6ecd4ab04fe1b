"""What a fake vendor's model says: scripted by a test, or derived from the request so that it is always the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.replay_answers import answer_to, count, instance


@dataclass(frozen=True)
class Reply:
    """One answer. Counts of tokens are parts of the totals, as each vendor reports them."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    thinking: str = ""
    redacted: str = ""
    refusal: str = ""
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    stop: str = ""
    """The vendor's own word, where not the usual one."""
    stop_sequence: str = ""
    input: int | None = None
    output: int | None = None

    def written(self) -> int:
        """Output tokens: words, unless told."""
        if self.output is not None:
            return self.output
        calls = " ".join(f"{name} {arguments}" for name, arguments in self.calls)
        return count(f"{self.text} {self.refusal} {self.thinking} {calls}") + self.reasoning


def derived(prompt: str, tools: list[tuple[str, Any]], schema: Any, most_calls: int) -> Reply:
    """Calls of the first `most_calls` tools, else a value of the schema, else sentences."""
    if tools:
        return Reply(calls=tuple((name, instance(one, f"{prompt}/{name}")) for name, one in tools[:most_calls]))
    if schema is not None:
        import json

        return Reply(text=json.dumps(instance(schema, prompt)))
    return Reply(text=answer_to(prompt))


def pieces(text: str, size: int = 7) -> list[str]:
    """A text as a vendor streams it."""
    return [text[i : i + size] for i in range(0, len(text), size)]
