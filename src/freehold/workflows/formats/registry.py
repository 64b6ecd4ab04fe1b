"""The forms of log that can be imported, sorted by name. A form is added by one line here."""

from __future__ import annotations

from freehold.workflows.formats import (
    anthropic_batch,
    har,
    helicone,
    langfuse,
    langsmith,
    litellm,
    nvidia_flywheel,
    openai_batch,
    openai_finetune,
    openai_stored,
    openpipe,
    otlp,
    phoenix,
    plain,
)
from freehold.workflows.formats.types import Format, Json

FORMATS: tuple[Format, ...] = (
    anthropic_batch.FORMAT,
    har.FORMAT,
    helicone.FORMAT,
    langfuse.FORMAT,
    langsmith.FORMAT,
    litellm.FORMAT,
    nvidia_flywheel.FORMAT,
    openai_batch.FORMAT,
    openai_finetune.FORMAT,
    openai_stored.FORMAT,
    openpipe.FORMAT,
    otlp.FORMAT,
    phoenix.FORMAT,
    plain.FORMAT,
)
BY_NAME = {one.name: one for one in FORMATS}


def recognised(one: Json, likely: Format | None = None) -> Format | None:
    """The form of an element, by its keys; `likely` is asked first. None where it is of none."""
    if likely is not None and likely.knows(one):
        return likely
    return next((form for form in FORMATS if form.knows(one)), None)
