"""Documents as YAML, in a fixed form: keys in the order given, texts of several lines as blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

Document = dict[str, Any]


class _Dumper(yaml.SafeDumper):
    """Never an alias: two equal lists are written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def documents(found: Sequence[Document], heading: str = "") -> str:
    """One YAML stream. `heading` goes above it as comments."""
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    return comment + "---\n".join(dumped(one) for one in found)


def dumped(value: Any) -> str:
    """One value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=4096)
