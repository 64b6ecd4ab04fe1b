"""What a model is, where nobody says: its kind and format, by what its files tell of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from freehold.registry.papers.embedded import metadata
from freehold.registry.types import Kind

_ENCODERS = ("bert", "nomic-bert", "jina-bert-v2", "modern-bert", "xlm-roberta", "roberta", "mpnet", "gte")
_FORMATS = ("gguf", "safetensors", "onnx", "keras")
_CONFIG_BYTES = 4 << 20


def format_of(source: Path) -> str:
    """The form of its weights, by the endings of its files: `gguf`, `safetensors`, ..., else `files`."""
    names = [one.name.lower() for one in (source.rglob("*") if source.is_dir() else (source,))]
    return next((form for form in _FORMATS if any(one.endswith(f".{form}") for one in names)), "files")


def kind_of(source: Path) -> Kind:
    """An adapter, an encoder, else a chat model."""
    if source.is_dir():
        if (source / "adapter_config.json").is_file():
            return "adapter"
        config = _config(source / "config.json")
        if (source / "modules.json").is_file() or str(config.get("model_type", "")) in _ENCODERS:
            return "embedding"
        weights = sorted(source.glob("*.gguf"))
        if not weights:
            return "chat"
        source = weights[0]
    told = metadata(source)
    if told.get("general.type") == "adapter":
        return "adapter"
    return "embedding" if told.get("general.architecture", "") in _ENCODERS else "chat"


def name_of(source: str) -> str:
    """A name in the store made of where it is from: `org/Model-7B.gguf` is `model-7b`."""
    last = source.rstrip("/").rpartition("/")[2].partition("@")[0].partition(":")[0]
    for form in _FORMATS:
        last = last.removesuffix(f".{form}")
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in last.lower())
    return kept.strip("._-")[:64] or "model"


def _config(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _CONFIG_BYTES:
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
