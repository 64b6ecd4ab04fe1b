"""`freehold probe`: one or two operating points measured on an endpoint, and estimates re-fitted to them."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.progress import progress

if TYPE_CHECKING:
    from freehold.cli.measuring import Ask, Found
    from freehold.planner.memory import Serving
    from freehold.planner.probing import Measured, Probe

_COLUMNS = (
    ("concurrency", "at once"),
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("requests", "answered"),
    ("failed", "failed"),
    ("rate", "output tokens/s"),
    ("foretold", "foretold"),
    ("now", "after the probe"),
    ("ttft", "first token s"),
    ("tpot", "token s"),
)


@click.command(cls=Verb)
@click.argument("url")
@click.option("--model", required=True, help="Name that the endpoint knows the model by.")
@click.option("--shape", "what", help="The model's files or public name; else --model.")
@click.option("--gpu", required=True, help="Accelerator that serves it, such as H100.")
@click.option("--gpus", type=click.IntRange(1, 512), default=1, show_default=True, help="How many in one replica.")
@click.option("--precision", help="Of the weights as served; else as they were published.")
@click.option("--kv-precision", default="bf16", show_default=True, help="Precision of the cache.")
@click.option("--at", "points", multiple=True, type=click.IntRange(1, 4096), help="Requests at once; up to two.")
@click.option("--requests", type=click.IntRange(1), help="Calls of each point; else thrice --at, at least 12.")
@click.option("--input", "input_tokens", type=click.IntRange(16, 10**6), default=512, help="Tokens of a prompt, about.")
@click.option("--output", "output_tokens", type=click.IntRange(8, 10**5), default=128, help="Tokens of an answer.")
@click.option("--key", default="", help="Reference to its key, if it wants one: ${env:NAME} or ${file:path}.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write what was found.")
@json_option
def probe(url: str, *, as_json: bool, points: tuple[int, ...], out: Path | None, **given: Any) -> None:
    """Load the endpoint at URL for a minute and re-fit the estimates of speed to what it does.

    Calls cost what they cost there. `freehold fit --probe FILE` and plans use the file that --out writes.
    """
    from freehold.core.errors import BadRequest

    if len(points) > 2:
        raise BadRequest("two points say what can be said; more narrow nothing", param="at")
    serving = _serving(given)
    ask = _ask(url, given)
    found = tuple(_measured(ask, at, given["requests"], quiet=as_json) for at in points or (4, 32))
    made, rows = _refit(serving, ask.model, found)
    if out is not None:
        import msgspec

        out.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
        say(f"written to {out}; see freehold fit --probe {out}")
    if as_json:
        import msgspec

        emit_json({**msgspec.to_builtins(made), "points": rows})
        return
    table(rows, _COLUMNS)
    say(f"speed is {made.known.constants.speed:.2f} of what published points say, before what depends on the load")


def _serving(given: dict[str, Any]) -> Serving:
    from freehold.planner.estimate import placed
    from freehold.planner.gpus import gpu
    from freehold.planner.shapes import shape

    what = shape(given["what"] or given["model"])
    return placed(what, gpu(given["gpu"]), given["gpus"], given["precision"] or what.native, given["kv_precision"])


def _ask(url: str, given: dict[str, Any]) -> Ask:
    from freehold.cli.measuring import Ask

    return Ask(
        url=url,
        model=given["model"],
        key=_key(given["key"]),
        input_tokens=given["input_tokens"],
        output_tokens=given["output_tokens"],
    )


def _key(reference: str) -> str:
    """The secret behind a reference."""
    if not reference:
        return ""
    import re

    from freehold.core.errors import BadRequest
    from freehold.settings.environment import variable

    named = re.fullmatch(r"\$\{(env|file):([^}]+)\}", reference)
    if not named:
        raise BadRequest("keys are given by reference: ${env:NAME} or ${file:path}", param="key")
    if named[1] == "env":
        found = variable(named[2])
        if not found:
            raise BadRequest(f"{named[2]} is not set", param="key")
        return found
    return Path(named[2]).read_text(encoding="utf-8").strip()


def _measured(ask: Ask, at: int, requests: int | None, *, quiet: bool) -> Measured:
    from freehold.cli.measuring import load

    count = max(requests or max(3 * at, 12), at)
    with progress(f"{at} at once", count, quiet=quiet) as advance:
        found = load(ask, at, count, lambda done: advance(done, f"{done} of {count}"))
    if found.failed:
        say(f"{found.failed} of {count} calls failed: {found.reason}")
    return summed(found, at)


def summed(found: Found, at: int) -> Measured:
    """A load's samples as one point. The rate is of the time in which all streams were busy, where there is any."""
    from freehold.planner.probing import Measured

    samples = found.samples
    begins = sorted(one.begun for one in samples)
    ends = sorted(one.ended for one in samples)
    low, high = begins[0], max(ends[-1] if len(ends) < 2 * at else ends[len(ends) - at], begins[0] + 1e-6)
    tokens = sum(
        one.output_tokens * max(min(one.ended, high) - max(one.begun, low), 0.0) / max(one.ended - one.begun, 1e-6)
        for one in samples
    )
    gaps = [(one.ended - one.first) / (one.output_tokens - 1) for one in samples if one.output_tokens > 1]
    return Measured(
        concurrency=at,
        input_tokens=statistics.fmean(one.input_tokens for one in samples),
        output_tokens=statistics.fmean(one.output_tokens for one in samples),
        requests=len(samples),
        failed=found.failed,
        output_tokens_per_second=tokens / (high - low),
        ttft_seconds=statistics.median(one.first - one.begun for one in samples),
        tpot_seconds=statistics.median(gaps) if gaps else 0.0,
    )


def _refit(serving: Serving, model: str, found: tuple[Measured, ...]) -> tuple[Probe, list[dict[str, Any]]]:
    from freehold.planner.constants import fitted
    from freehold.planner.estimate import estimate
    from freehold.planner.points import Point
    from freehold.planner.probing import Probe, load_of, refitted
    from freehold.planner.ranges import Known

    book = fitted().known
    points = [
        Point(
            name=f"probe {place}",
            source="probe",
            system=model,
            serving=serving,
            gpus=serving.layout.gpus,
            load=load_of(one),
            measured=one.output_tokens_per_second,
            layouts=(serving.layout,),
        )
        for place, one in enumerate(found)
    ]
    known = Known(refitted(points, book.constants), book.widths)
    rows = []
    for one in found:
        before = estimate(serving, load_of(one), book).output_tokens_per_second
        after = estimate(serving, load_of(one), known, len(found)).output_tokens_per_second
        row: dict[str, Any] = {"concurrency": one.concurrency, "requests": one.requests, "failed": one.failed}
        row |= {"input_tokens": round(one.input_tokens), "output_tokens": round(one.output_tokens)}
        row |= {"rate": f"{one.output_tokens_per_second:,.1f}", "ttft": f"{one.ttft_seconds:.3f}"}
        row |= {"tpot": f"{one.tpot_seconds:.4f}", "foretold": f"{before.p50:,.1f}" if before else None}
        rows.append({**row, "now": f"{after.p50:,.1f}" if after else None})
    made = Probe(
        model=model,
        gpu=serving.gpu.name,
        gpus=serving.layout.gpus,
        precision=serving.precision,
        at=datetime.now(UTC).strftime("%Y-%m-%d"),
        measured=found,
        known=known,
    )
    return made, rows
