"""Options of graders: plain JSON values, read with their type. A wrong one is told, not guessed at."""

from __future__ import annotations

from typing import Any

from freehold.grading.errors import GraderFailed


def flag(options: dict[str, Any], name: str, default: bool) -> bool:
    """A truth value. Raises GraderFailed."""
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise GraderFailed(f"option {name!r} is true or false, not {value!r}", param=name)
    return value


def text(options: dict[str, Any], name: str, default: str = "") -> str:
    """A text. Raises GraderFailed."""
    value = options.get(name, default)
    if not isinstance(value, str):
        raise GraderFailed(f"option {name!r} is text, not {value!r}", param=name)
    return value


def texts(options: dict[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts; none where it is not given. Raises GraderFailed."""
    value = options.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise GraderFailed(f"option {name!r} is a list of texts", param=name)
    return tuple(value)


def fraction(options: dict[str, Any], name: str, default: float) -> float:
    """A number from 0 to 1. Raises GraderFailed."""
    value = number(options, name, default)
    if not 0.0 <= value <= 1.0:
        raise GraderFailed(f"option {name!r} lies between 0 and 1, not at {value:g}", param=name)
    return value


def number(options: dict[str, Any], name: str, default: float) -> float:
    """A number that is not negative. Raises GraderFailed."""
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise GraderFailed(f"option {name!r} is a number of at least 0, not {value!r}", param=name)
    return float(value)


def mapping(options: dict[str, Any], name: str) -> dict[str, Any]:
    """An object; empty where it is not given. Raises GraderFailed."""
    value = options.get(name, {})
    if not isinstance(value, dict):
        raise GraderFailed(f"option {name!r} is an object", param=name)
    return value


def known(options: dict[str, Any], names: tuple[str, ...]) -> None:
    """Raises GraderFailed where an option is none of `names`: a misspelt one must not silently do nothing."""
    strange = sorted(set(options) - {*names, "agree_at"})
    if strange:
        raise GraderFailed(f"there is no option {', '.join(strange)} here; there are {', '.join(sorted(names))}")
