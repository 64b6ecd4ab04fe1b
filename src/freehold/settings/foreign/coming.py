"""Coming over from another gateway: its file in, ours out, and what became of each field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec

from freehold.core.errors import BadRequest, TooLarge
from freehold.settings.foreign import bifrost, litellm, portkey
from freehold.settings.foreign.document import Document, Told
from freehold.settings.foreign.draft import Draft
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig

Kind = Literal["litellm", "portkey", "bifrost"]
_KINDS: tuple[tuple[Kind, Callable[[Mapping[str, Any]], bool]], ...] = (
    ("litellm", litellm.recognised),
    ("bifrost", bifrost.recognised),
    ("portkey", portkey.recognised),
)
MOST_BYTES = 4 * 1024 * 1024


class Brought(msgspec.Struct, frozen=True):
    """What came over."""

    kind: Kind
    settings: dict[str, Any]
    fields: tuple[Told, ...]
    problems: tuple[str, ...] = ()
    """What our own check says of it: nothing was lost, but these are still to be put right."""

    def text(self) -> str:
        """The file, as TOML, with what to look at on top."""
        import tomli_w

        left = [one for one in self.fields if one.outcome != "exact"]
        kept, count = len(self.fields) - len(left), len(self.fields)
        lines = [f"# From {self.kind}. {kept} of {count} fields came over as they were."]
        lines += [f"# {one.outcome}: {one.field}{': ' + one.note if one.note else ''}" for one in left]
        return "\n".join(_printable(one) for one in lines) + "\n\n" + tomli_w.dumps(self.settings)


def bring(raw: bytes, name: str, today: date) -> Brought:
    """Read another gateway's configuration; what comes out is checked as our own file is.

    `name` is the file's: a Portkey config becomes the route of that name. Raises BadRequest for what is none, TooLarge.
    """
    root = _tree(raw, name)
    for kind, recognised in _KINDS:
        if recognised(root):
            document = Document(root)
            settings = _convert(kind, document, name, today).settings()
            return _checked(Brought(kind, settings, document.told()))
    hint = "LiteLLM's has model_list, Bifrost's providers, Portkey's strategy and targets, or a provider"
    raise BadRequest(f"{name} is no configuration of LiteLLM, Portkey or Bifrost", hint=hint)


def _checked(brought: Brought) -> Brought:
    """The same with what our own check says of it."""
    try:
        parse(brought.text().encode(), None, {}, rules=False)
    except InvalidConfig as error:
        return msgspec.structs.replace(brought, problems=tuple(one.message for one in error.problems))
    return brought


def _convert(kind: Kind, document: Document, name: str, today: date) -> Draft:
    if kind == "litellm":
        return litellm.convert(document, today.isoformat())
    return bifrost.convert(document) if kind == "bifrost" else portkey.convert(document, Path(name).stem or "default")


def _tree(raw: bytes, name: str) -> Mapping[str, Any]:
    if len(raw) > MOST_BYTES:
        raise TooLarge(f"{name} is larger than {MOST_BYTES} bytes", hint="is this a gateway's configuration?")
    try:
        text = raw.decode()
        found = json.loads(text) if name.endswith(".json") else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} cannot be read: {_first_line(error)}", hint="it is YAML or JSON, in UTF-8") from None
    if not isinstance(found, Mapping):
        raise BadRequest(f"{name} holds no table", hint="is this a gateway's configuration?")
    return found


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).partition("\n")[0]) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _printable(line: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in line)
