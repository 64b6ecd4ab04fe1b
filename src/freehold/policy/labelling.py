"""The law by which a call gets its label: everything that goes into it is joined, and nothing in it can lower that.

Text never lowers a label. A person's named right can, for what was said of the content; what detectors find, or fail
to look at, is joined after it. What a model answers is labelled as what it was asked.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from freehold.core.errors import BadRequest, Forbidden
from freehold.core.label import UNKNOWN, Label, parse_label
from freehold.identity.types import Principal

DECLASSIFY = "declassify"
OVERRIDE = "override_label"
"""Named rights of a key: see `identity/rights.py`."""


class Lowering(msgspec.Struct, frozen=True):
    """One use of a right to lower a label: what the audit entry says."""

    before: Label
    after: Label
    by: str
    """Id of the key."""
    right: str
    reason: str

    def told(self) -> dict[str, object]:
        """Content of the audit entry `label.lower`."""
        return {
            "before": str(self.before),
            "after": str(self.after),
            "key": self.by,
            "right": self.right,
            "reason": self.reason,
        }


def read(text: str) -> Label:
    """What a label stated inside a message says: one that cannot be read is unknown, never nothing."""
    try:
        return parse_label(text)
    except BadRequest:
        return UNKNOWN


def joined(said: Iterable[Label | None]) -> Label:
    """The join of what was said of each part: key, route, header, turns, tool results, documents, passages, cache hits.

    None is a part of which nothing was said. Where nothing was said of any part, the label is unknown.
    """
    found: Label | None = None
    for one in said:
        if one is not None:
            found = one if found is None else found.join(one)
    return UNKNOWN if found is None else found


def label_of(
    said: Iterable[Label | None],
    findings: Iterable[Label] = (),
    *,
    failed: bool = False,
    lowered: Lowering | None = None,
) -> Label:
    """A call's label. `failed` is whether a detector failed or ran out of time; then its level is unknown.

    `lowered` replaces what was said, and nothing that was found. It counts only where it was made for this very join.
    """
    label = joined(said)
    if lowered is not None and lowered.before == label:
        label = lowered.after
    for one in findings:
        label = label.join(one)
    return label.join(UNKNOWN) if failed else label


def answered(asked: Label, findings: Iterable[Label] = (), *, failed: bool = False) -> Label:
    """The label of an answer, and so of every later turn that holds it: that of what was asked, and what it shows."""
    return label_of((asked,), findings, failed=failed)


def lower(label: Label, to: Label, principal: Principal, now: float, reason: str) -> Lowering:
    """Use the right `declassify`: what was said to be `label` counts as `to`. The caller writes it down.

    Raises Forbidden without the right, BadRequest without a reason or where `to` is not below `label`.
    """
    if not principal.holds(DECLASSIFY, now):
        hint = f"an owner gives the right {DECLASSIFY}: freehold keys create --right {DECLASSIFY}"
        raise Forbidden(f"the key {principal.name!r} may not lower a label", hint=hint)
    if not reason.strip():
        raise BadRequest("a label is lowered for a reason", hint="send: LABEL; reason=WHY", param="label")
    if to == label or to.join(label) != label:
        raise BadRequest(f"{to} is not below {label}", hint="state a lower level or fewer regimes", param="label")
    return Lowering(label, to, principal.key_id, DECLASSIFY, reason.strip())


def started(default: Label, stated: Label | None, principal: Principal, now: float) -> tuple[Label, Lowering | None]:
    """Where a call's label begins: the key's default joined with what the caller states.

    With the right `override_label` what is stated stands in the default's place; then the use of it comes along.
    """
    if stated is None:
        return default, None
    together = default.join(stated)
    if together == stated or not principal.holds(OVERRIDE, now):
        return together, None
    return stated, Lowering(together, stated, principal.key_id, OVERRIDE, "stated by the caller")


def wish(header: str) -> tuple[Label, str]:
    """The header `x-freehold-declassify: LABEL; reason=WHY`. Raises BadRequest."""
    label, _, rest = header.partition(";")
    name, _, reason = rest.strip().partition("=")
    if name.strip().lower() != "reason" or not reason.strip() or not reason.isprintable() or len(reason) > 500:
        raise BadRequest("a label is lowered for a reason", hint="send: LABEL; reason=WHY", param="label")
    return parse_label(label), reason.strip().strip('"')
