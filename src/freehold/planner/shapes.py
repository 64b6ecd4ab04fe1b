"""What a model is made of: from its config.json, a file of its weights, or a public name in `data/models.csv`.

Nothing is fetched: a name that is not in the table and not on this disk is refused.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path

from freehold.planner.errors import UnknownShape
from freehold.planner.facts import rows
from freehold.planner.types import Shape

_ENDINGS = re.compile(
    r"-(instruct|chat|hf|it|base|fp8|fp4|nvfp4|mxfp4|bf16|fp16|awq|gptq|int8|int4|w4a16|w8a8|gguf|v0\.\d|dynamic|preview"
    r"|kv|2507|2512|quantized|mxfp4_moe|ptpc|ocp)$"
)


def shape(name: str | Path) -> Shape:
    """A model's shape: a folder with config.json, that file, a .safetensors or .gguf file, or a public name.

    Raises UnknownShape, which names the file and the field, or the nearest names.
    """
    path = Path(name)
    if path.is_file() or path.is_dir():
        from freehold.planner.shape_files import read

        return read(path)
    return named(str(name))


@cache
def named(name: str) -> Shape:
    """A public model's shape by its name, with or without its maker and the endings of variants."""
    wanted = key(name)
    names: list[str] = []
    for row in rows("models"):
        known = [row["name"], *[one for one in row["aliases"].split("|") if one]]
        if wanted in {key(one) for one in known}:
            return _from_row(row)
        names += known
    near = difflib.get_close_matches(name.rsplit("/", 1)[-1], names, n=3, cutoff=0.5)
    words = f"; near: {', '.join(near)}" if near else ""
    raise UnknownShape(f"{name!r} is no file here and no public model that is known{words}", param="model")


def key(name: str) -> str:
    """A model's name without its maker, case and the endings that say how it was tuned or quantised."""
    found = name.rsplit("/", 1)[-1].casefold().replace("_", "-").replace(" ", "-").removeprefix("meta-")
    shorter = _ENDINGS.sub("", found)
    while shorter != found:
        found, shorter = shorter, _ENDINGS.sub("", shorter)
    return re.sub(r"^llama(?=[234])", "llama-", found)


def bare(name: str, parameters: float, active: float) -> Shape:
    """A shape from sizes alone, for a model of which nothing else is known: as transformers with grouped queries are.

    Depth and width follow from the size as in the Llama family; experts hold what is not active.
    """
    dense = parameters if active >= 0.95 * parameters else max(active * 2.0, 1e8)
    layers = round(min(max(32.0 * (dense / 8e9) ** 0.42, 12.0), 126.0))
    hidden = int(round((dense / (12.0 * layers)) ** 0.5 / 128.0) * 128.0) or 128
    experts = parameters - active if dense != parameters else 0.0
    return Shape(
        name=name,
        layers=layers,
        hidden=hidden,
        parameters=parameters,
        active=active,
        kv_bytes_per_token=layers * 8 * 128 * 2 * 2.0,
        attention_flops=4.0 * hidden * layers,
        experts=128 if experts else 0,
        experts_per_token=8 if experts else 0,
        expert_parameters=experts * 128.0 / 120.0 if experts else 0.0,
        embedding=min(2.0 * 128_000 * hidden, 0.2 * parameters),
        source="sizes alone",
    )


def _from_row(row: dict[str, str]) -> Shape:
    layers, hidden, heads, size = (int(row[one]) for one in ("layers", "hidden", "heads", "head_dim"))
    windowed, linear = int(row["window_layers"]), int(row["linear_layers"])
    rank, rope = int(row["kv_lora_rank"]), int(row["rope_head_dim"])
    whole = layers - windowed - linear
    if rank:
        each, flops = (rank + rope) * 2.0, 2.0 * heads * (2 * rank + rope)
    else:
        each, flops = 2.0 * int(row["kv_heads"]) * size * 2.0, 4.0 * heads * size
    return Shape(
        name=row["name"],
        layers=layers,
        hidden=hidden,
        parameters=float(row["parameters_b"]) * 1e9,
        active=float(row["active_b"]) * 1e9,
        kv_bytes_per_token=whole * each,
        source=f"{row['source']}, {row['as_of']}",
        kv_window_bytes_per_token=windowed * each,
        window=int(row["window"]),
        state_bytes=float(row["state_mb"]) * 1e6,
        kv_heads=int(row["kv_heads"]),
        latent=bool(rank),
        attention_flops=whole * flops,
        experts=int(row["experts"]),
        experts_per_token=int(row["experts_per_token"]),
        expert_parameters=float(row["expert_parameters_b"]) * 1e9,
        embedding=float(row["vocab"]) * hidden * (1 if row["tied"] == "1" else 2),
        context=int(row["context"]),
        native=row["native"],
    )
