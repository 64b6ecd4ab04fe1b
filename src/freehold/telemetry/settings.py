"""The table [telemetry]: which collector is told of calls, and in whose words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from freehold.core.section import LabelText, Secret, Section

Conventions = Literal["gen_ai/1.36", "gen_ai/1.37"]


class TelemetrySettings(Section):
    """Spans of ended calls, told to one collector by the worker; never any content."""

    otlp: str = Field(
        "",
        description="Address of an OpenTelemetry collector that takes OTLP over HTTP as JSON, such as "
        "`http://127.0.0.1:4318`; spans go to `/v1/traces` below it. Empty: nobody is told.",
    )
    conventions: Conventions = Field(
        "gen_ai/1.37",
        description="Version of OpenTelemetry's GenAI conventions that attributes follow; they are not stable yet.",
    )
    clearance: LabelText = Field(
        "internal", description="Most sensitive label of a call that the collector may be told of."
    )
    authorization: Secret = Field("", description="Reference to what is sent to it as `authorization`; empty for none.")
