"""What a model's card says of it: the front matter of its README.md, and a few keys of its configuration.

Claims of whoever wrote it, no more. Nothing in it is obeyed, and what cannot be read is as if it were not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

_FRONT_BYTES = 256 << 10
_JSON_BYTES = 4 << 20
_ITEMS = 64
_TEXT = 400


class Metric(msgspec.Struct, frozen=True):
    """One result its maker tells."""

    task: str
    dataset: str
    kind: str
    value: str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The card in our words; lists are bounded, texts too."""

    licences: tuple[str, ...] = ()
    """As written: `apache-2.0`, or `license_name` where that says `other`."""
    link: str = ""
    bases: tuple[str, ...] = ()
    """What it was made of, as the hub calls it."""
    relation: str = ""
    """To its bases: `adapter`, `finetune`, `merge`, `quantized`."""
    task: str = ""
    library: str = ""
    architectures: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    multimodal: bool | None = None


def read_card(root: Path) -> Card:
    """The card of a folder; of one file there is none. Never raises for what it holds."""
    if not root.is_dir():
        return Card()
    front = _front(root / "README.md")
    config, adapter = _json(root / "config.json"), _json(root / "adapter_config.json")
    origin = (config.get("_name_or_path"), adapter.get("base_model_name_or_path"))
    # A path on its maker's disk names no model.
    named = [one for one in _texts(origin) if one.count("/") == 1 and not one.startswith((".", "/", "~"))]
    bases = tuple(dict.fromkeys([*_texts(front.get("base_model")), *named]))
    return Card(
        licences=_licences(front),
        link=_text(front.get("license_link")),
        bases=bases,
        relation=_text(front.get("base_model_relation")) or ("adapter" if adapter else ""),
        task=_text(front.get("pipeline_tag")),
        library=_text(front.get("library_name")),
        architectures=_texts(config.get("architectures")),
        languages=_texts(front.get("language")),
        datasets=_texts(front.get("datasets")),
        tags=_texts(front.get("tags")),
        metrics=tuple(_metrics(front.get("model-index"))),
        multimodal=_multimodal(_text(front.get("pipeline_tag")), config),
    )


def _licences(front: dict[str, Any]) -> tuple[str, ...]:
    said = _texts(front.get("license"))
    name = _text(front.get("license_name"))
    return tuple(name if one.lower() == "other" and name else one for one in said) or ((name,) if name else ())


def _multimodal(task: str, config: dict[str, Any]) -> bool | None:
    """Yes where either says so; no where the task takes text alone, or the configuration has no other tower."""
    if any(key.endswith("_config") and key[:5] in ("visio", "audio", "image", "video") for key in config):
        return True
    if any(word in task for word in ("image", "video", "audio", "speech", "any-to-any", "visual")):
        return True
    return False if task.startswith("text-") or config.get("architectures") else None


def _metrics(index: Any) -> Iterable[Metric]:
    for model in _list(index):
        for result in _list(_get(model, "results")):
            task, dataset = _get(_get(result, "task"), "type"), _get(_get(result, "dataset"), "name")
            for one in _list(_get(result, "metrics")):
                value = _get(one, "value")
                if isinstance(value, str | int | float):
                    yield Metric(_text(task), _text(dataset), _text(_get(one, "type")), str(value)[:40])


def _front(path: Path) -> dict[str, Any]:
    """The YAML between the first two lines of three dashes; aliases, which can grow without end, are not taken."""
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not taken")
            return super().compose_node(parent, index)

    text = _read(path, _FRONT_BYTES).lstrip("\ufeff")
    if not text.startswith("---"):
        return {}
    front, mark, _ = text[3:].partition("\n---")
    try:
        found = yaml.load(front, Loader=Plain) if mark else {}  # noqa: S506 -- a safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read(path, _JSON_BYTES) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(path: Path, limit: int) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value[:_ITEMS] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value.strip()[:_TEXT] if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    """One text or several; others are left out."""
    many = value if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(text for one in many[:_ITEMS] if (text := _text(one))))
