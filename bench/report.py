"""From samples to figures: medians, ratios of runs that lay side by side, the table and the last line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.load import FOREIGN_LIMIT, Sample

Figures = dict[str, object]


def pick(samples: Iterable[Sample], subject: str, shot: str) -> list[Sample]:
    """Good samples of one subject under one shot."""
    return [one for one in samples if one.subject == subject and one.shot == shot and not one.error]


def middle(samples: Sequence[Sample], field: str) -> float | None:
    """Median of a field of the sample, or of the load client's figures."""
    values = [float(getattr(one, field) if hasattr(one, field) else getattr(one.figures, field)) for one in samples]
    return median(values) if values else None


def ratio(samples: Sequence[Sample], over: str, under: str, shot: str, under_shot: str = "") -> float | None:
    """Median over rounds of `per_cpu` of one subject over another's in the same round, so that drift cancels."""
    lower = {one.round: one.per_cpu for one in pick(samples, under, under_shot or shot)}
    pairs = [one.per_cpu / lower[one.round] for one in pick(samples, over, shot) if lower.get(one.round)]
    return round(median(pairs), 3) if pairs else None


def best(samples: Sequence[Sample], names: Iterable[str], shot: str) -> str | None:
    """The subject with the highest median `per_cpu`."""
    found = [(middle(pick(samples, name, shot), "per_cpu") or 0.0, name) for name in names]
    return max(found)[1] if found and max(found)[0] else None


def profile(samples: Sequence[Sample], subject: str, shot: str, peers: tuple[str, tuple[str, ...]]) -> Figures:
    """`per_core`, `ratio_nginx`, `ratio_best_router` of one profile. `peers`: nginx's name, the routers' names."""
    relay, routers = peers
    mine = pick(samples, subject, shot)
    router = best(samples, routers, shot)
    per_core = middle(mine, "per_cpu")
    return {
        "per_core": None if per_core is None else round(per_core),
        "ratio_nginx": ratio(samples, subject, relay, shot),
        "ratio_best_router": ratio(samples, subject, router, shot) if router else None,
        "best_router": router,
        "wall_per_s": _whole(middle(mine, "events_s" if mine and mine[0].figures.events else "rps")),
    }


def added(samples: Sequence[Sample], subject: str, shot: str, field: str, base: str = "direct") -> float | None:
    """Median of a latency minus the same straight at the mock, in microseconds."""
    mine, direct = middle(pick(samples, subject, shot), field), middle(pick(samples, base, shot), field)
    return None if mine is None or direct is None else round(mine - direct, 1)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def rows(samples: Sequence[Sample], names: Sequence[str], memory: Mapping[str, float]) -> list[list[str]]:
    """The table of subjects, head first."""
    head = ["subject", "calls/s", "per CPU s", "p99 ms c=64", "added p50 us c=1", "added p50 / p99 us at 1000/s"]
    head += ["added first token us", "chunks/s flat out", "paced events/CPU s", "paced delay p99 us", "RSS MiB"]
    table = [head]
    for name in names:
        calls, blob, paced = (pick(samples, name, shot) for shot in ("calls", "blob", "paced"))
        p99 = middle(calls, "p99_us")
        table.append(
            [
                name,
                _show(middle(calls, "rps")),
                _show(middle(calls, "per_cpu")),
                "-" if p99 is None else f"{p99 / 1000:.2f}",
                _show(added(samples, name, "one", "p50_us")),
                f"{_show(added(samples, name, 'open', 'p50_us'))} / {_show(added(samples, name, 'open', 'p99_us'))}",
                _show(added(samples, name, "first", "ttfb_p50_us")),
                _show(middle(blob, "events_s")),
                _show(middle(paced, "per_cpu")),
                _show(added(samples, name, "paced", "delay_p99_us")),
                _show(memory.get(name)),
            ]
        )
    return table


def _show(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def text(table: Sequence[Sequence[str]]) -> str:
    """Aligned for a terminal."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(table: Sequence[Sequence[str]]) -> str:
    """The same for a page."""
    head, *body = table
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body)])


def disturbance(samples: Sequence[Sample]) -> Figures:
    """How clean the runs were: foreign use of the gateway's core, and how many stayed above the bound."""
    shot = [one for one in samples if one.subject != "direct" and not one.error]
    foreign = [one.disturbed for one in shot]
    return {
        "foreign_median": round(median(foreign), 1) if foreign else None,
        "foreign_max": round(max(foreign), 1) if foreign else None,
        "stolen_median": round(median([one.stolen for one in shot]), 1) if shot else None,
        "runs": len(shot),
        "disturbed": sum(1 for one in foreign if one > FOREIGN_LIMIT),
        "limit": FOREIGN_LIMIT,
    }
