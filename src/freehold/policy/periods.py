"""When budget periods begin and end, in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NEVER = 253_402_300_799
"""The end of the year 9999: when a `total` budget resets."""


def period_start(period: str, now: float) -> int:
    """Unix seconds at which the period that holds `now` began; 0 for `total`. Raises ValueError for another name."""
    if period == "total":
        return 0
    moment = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return int(moment.timestamp())
    day = moment.replace(hour=0)
    if period == "day":
        return int(day.timestamp())
    if period == "week":
        return int((day - timedelta(days=day.weekday())).timestamp())
    if period == "month":
        return int(day.replace(day=1).timestamp())
    raise ValueError(f"{period!r} is no period")


def resets_at(period: str, now: float) -> int:
    """Unix seconds at which the period that holds `now` ends. Raises ValueError for another name."""
    if period == "total":
        return NEVER
    start = datetime.fromtimestamp(period_start(period, now), UTC)
    if period == "month":
        following = (start + timedelta(days=31)).replace(day=1)
    else:
        following = start + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[period]
    return int(following.timestamp())
