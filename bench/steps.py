"""Microseconds of each step on the hot path, timed on the real functions of the code."""

from __future__ import annotations


def measure() -> list[tuple[str, float]]:
    """Feature and its microseconds, best of several repeats."""
    return []
