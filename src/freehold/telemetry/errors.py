"""What can go wrong with a collector."""

from __future__ import annotations

from freehold.core.errors import Unavailable


class CollectorFailed(Unavailable):
    """The collector of [telemetry] does not answer, or does not take what it is told. No call waits for it."""

    code = "FH-AVA-040"
    hint_text = "see that the address in [telemetry] otlp leads to a collector that takes OTLP over HTTP as JSON"

    def __init__(self, message: str, *, passed_over: bool = False) -> None:
        super().__init__(message)
        self.passed_over = passed_over
        """Will it never take this batch, so that it must not be sent again?"""
