"""Signed statements about calls and changes, over the management API."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from freehold.ledger.audit.log import receipt_of_call, receipt_of_change
from freehold.ledger.receipts import Check, Receipt, verify
from freehold.server.actors import Allowed, Served
from freehold.server.structs import answer, described

router = APIRouter(prefix="/api/receipts", tags=["receipts"], dependencies=[Depends(Allowed("receipts:read"))])

FORMS = (Check, Receipt)


@router.get("/change/{leaf}", responses=described(Receipt))
def of_change(leaf: int, instance: Served) -> Response:
    """The receipt of an audited change, by its leaf."""
    return answer(receipt_of_change(instance.engine, instance.identity, instance.salts, leaf))


@router.get("/{call}", responses=described(Receipt))
def of_call(call: str, instance: Served) -> Response:
    """The receipt of a call; there within a second of its end."""
    return answer(receipt_of_call(instance.engine, instance.identity, instance.salts, call))


@router.get("/{call}/check", responses=described(list[Check]))
def check(call: str, instance: Served) -> Response:
    """A call's receipt, verified by this installation's own key. Who must not trust it verifies the file elsewhere."""
    receipt = receipt_of_call(instance.engine, instance.identity, instance.salts, call)
    return answer(list(verify(receipt, instance.identity.public)))
