"""`freehold fit`: whether a model fits on accelerators, and how fast it would be there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say, table

if TYPE_CHECKING:
    from freehold.planner.fits import Asked, Fit
    from freehold.planner.ranges import Known
    from freehold.planner.types import Range

USUAL = ("L4", "L40S", "A100-80GB", "H100", "H200", "B200", "MI300X")
_COLUMNS = (
    ("gpu", "gpu"),
    ("gpus", "gpus"),
    ("precision", "precision"),
    ("fits", "fits"),
    ("weights", "weights GiB"),
    ("kv_tokens", "tokens of cache"),
    ("at_once", "at once"),
    ("throughput", "output tokens/s"),
    ("alone", "alone tokens/s"),
    ("first", "first token s"),
    ("confidence", "confidence"),
)


@click.command(cls=Verb)
@click.argument("model")
@click.option("--gpu", "gpu", multiple=True, help="Accelerator of the hardware book, such as H100; repeat for more.")
@click.option("--gpus", multiple=True, type=click.IntRange(1, 512), help="How many for one replica; else the fewest.")
@click.option("--precision", multiple=True, help="bf16, fp8, int8, int4, fp4 or a GGUF type such as Q4_K_M; repeat.")
@click.option("--kv-precision", default="bf16", show_default=True, help="Precision of the cache.")
@click.option("--input", "input_tokens", type=click.IntRange(1, 10**7), default=1024, help="Tokens of a prompt.")
@click.option("--output", "output_tokens", type=click.IntRange(1, 10**7), default=256, help="Tokens of an answer.")
@click.option("--concurrency", type=click.IntRange(1), help="Requests at once; else as many as fit.")
@click.option("--ttft", type=click.FloatRange(0.001), help="Limit in seconds that the first token keeps in 99 of 100.")
@click.option("--tpot", type=click.FloatRange(0.0001), help="Limit in seconds for each further token.")
@click.option(
    "--probe",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `freehold probe --out` wrote: estimates after those measurements.",
)
@click.option("--second", is_flag=True, help="Ask AIConfigurator too, where the extra `second` is installed.")
@json_option
def fit(model: str, *, as_json: bool, gpu: tuple[str, ...], probe: Path | None, **given: Any) -> None:
    """Say whether MODEL fits on accelerators, and how fast it would be: nothing is downloaded, nothing is run.

    MODEL is a folder with config.json, a .safetensors or .gguf file, or a public model's name. Figures are P50 with
    P10 to P90 in brackets, of one replica.
    """
    from freehold.core.errors import Unavailable
    from freehold.planner.fits import fits
    from freehold.planner.gpus import gpu as named
    from freehold.planner.probing import read_probe
    from freehold.planner.second_opinion import installed
    from freehold.planner.shapes import shape

    if given["second"] and not installed():
        raise Unavailable("the second estimator is not installed", hint="install freehold with its extra `second`")
    what = shape(model)
    known: Known | None = None
    probes = 0
    if probe is not None:
        found = read_probe(probe)
        known, probes = found.known, found.probes
    rows = list(fits(what, [named(one) for one in gpu or USUAL], _asked(what.native, given), known, probes))
    if as_json:
        import msgspec

        emit_json({"model": msgspec.to_builtins(what), "fits": [msgspec.to_builtins(one) for one in rows]})
        return
    table([_row(one) for one in rows], _COLUMNS)
    for one in rows:
        if not one.fits:
            say(f"{one.gpus} x {one.gpu} in {one.precision}: {one.why}")
    _note(rows, what.source)


def _asked(native: str, given: dict[str, Any]) -> Asked:
    from freehold.planner.fits import Asked

    return Asked(
        gpus=tuple(given["gpus"]),
        precisions=tuple(given["precision"]) or ((native,) if native != "bf16" else ("bf16", "fp8", "int4")),
        kv_precision=given["kv_precision"],
        input_tokens=float(given["input_tokens"]),
        output_tokens=float(given["output_tokens"]),
        concurrency=float(given["concurrency"] or 0),
        ttft_limit=float(given["ttft"] or 0.0),
        tpot_limit=float(given["tpot"] or 0.0),
        second=bool(given["second"]),
    )


def _row(one: Fit) -> dict[str, Any]:
    found = one.within or one.loaded
    return {
        "gpu": one.gpu,
        "gpus": one.gpus,
        "precision": one.precision,
        "fits": "yes" if one.fits else "NO",
        "weights": f"{one.weights_bytes / 2**30:.1f}",
        "kv_tokens": f"{one.kv_tokens:,}",
        "at_once": f"{found.sequences:.0f}" if found.output_tokens_per_second else None,
        "throughput": _range(found.output_tokens_per_second, 0),
        "alone": _inverse(one.single.tpot_seconds),
        "first": _range(found.ttft_seconds, 2),
        "confidence": found.confidence or None,
    }


def _range(value: Range | None, digits: int) -> str | None:
    if value is None:
        return None
    return f"{value.p50:,.{digits}f} [{value.p10:,.{digits}f}-{value.p90:,.{digits}f}]"


def _inverse(value: Range | None) -> str | None:
    if value is None:
        return None
    return f"{1 / value.p50:,.0f} [{1 / value.p90:,.0f}-{1 / value.p10:,.0f}]"


def _note(rows: list[Fit], source: str) -> None:
    say(f"model from {source}")
    rate = next((one.loaded.output_tokens_per_second for one in rows if one.loaded.output_tokens_per_second), None)
    if rate is not None:
        say(f"speed by {rate.source}, {rate.as_of}; two measurements narrow it: freehold probe URL")
