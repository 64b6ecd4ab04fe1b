"""Durations on the command line: `90s`, `15m`, `24h`, `90d`."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)([smhdw])\Z")


class Duration(click.ParamType[float]):
    """A number and a unit, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds; fails in words."""
        if isinstance(value, float):
            return value
        found = _FORM.match(str(value))
        if not found:
            self.fail(f"{value!r} is no duration: write 90s, 15m, 24h or 90d", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


DURATION = Duration()
