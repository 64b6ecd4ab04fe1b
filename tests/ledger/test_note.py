from __future__ import annotations

import base64

import pytest

from freehold.core.crypto import Identity
from freehold.core.errors import BadSignature
from freehold.ledger.audit import note

IDENTITY = Identity(bytes(range(32)))
OTHER = Identity(bytes(range(1, 33)))
POINT = note.Checkpoint(note.origin_of(IDENTITY), 7, bytes(range(32)))


def test_form_is_that_of_a_signed_note() -> None:
    text = note.sign(POINT, IDENTITY)
    body, signature = text.split("\n\n")
    assert body.split("\n") == [f"freehold/{IDENTITY.key_id}", "7", base64.b64encode(bytes(range(32))).decode()]
    mark, name, blob = signature.rstrip("\n").split(" ")
    assert (mark, name) == ("\N{EM DASH}", POINT.origin)
    assert len(base64.b64decode(blob)) == 4 + 64
    assert text.endswith("\n")


def test_reads_what_it_signed() -> None:
    assert note.read(note.sign(POINT, IDENTITY), IDENTITY) == POINT


def test_further_signatures_of_witnesses_do_no_harm() -> None:
    text = note.sign(POINT, IDENTITY)
    head, _, mine = text.partition("\n\n")
    witnessed = f"{head}\n\n\N{EM DASH} witness.example AAAAAAAA\n{mine}"
    assert note.read(witnessed, IDENTITY) == POINT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n7\n", "\n8\n"),
        lambda text: text.replace("AAEC", "AAED"),
        lambda text: text.partition("\n\n")[0] + "\n\n",
        lambda text: text[:-10] + "!!\n",
        lambda text: "",
        lambda text: note.sign(note.Checkpoint(POINT.origin, 7, POINT.root), OTHER),
    ],
)
def test_anything_else_is_refused(spoil: object) -> None:
    with pytest.raises(BadSignature):
        note.read(spoil(note.sign(POINT, IDENTITY)), IDENTITY)
