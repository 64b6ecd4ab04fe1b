from __future__ import annotations

import pytest
from pydantic import ValidationError

from freehold.ledger.retention import Retention
from freehold.ledger.settings import AuditSettings, CaptureSettings


@pytest.mark.parametrize("name", ["RESTRICTED!", "secretish", "hipaa", ""])
def test_a_class_is_a_level_or_a_regime(name: str) -> None:
    with pytest.raises(ValidationError, match="is no class"):
        CaptureSettings(retention={name: 3})


def test_terms_are_whole_days(tmp_path: object) -> None:
    assert CaptureSettings(retention={"restricted": 7, "MY_OWN": 9}).retention == {"restricted": 7, "MY_OWN": 9}
    with pytest.raises(ValidationError):
        CaptureSettings(retention={"restricted": 0})


def test_outside_folders_are_absolute() -> None:
    assert [str(one) for one in AuditSettings(checkpoints=("/mnt/a",)).folders()] == ["/mnt/a"]
    with pytest.raises(ValidationError, match="absolute"):
        AuditSettings(checkpoints=("public",))


def test_a_label_that_cannot_be_read_is_kept_as_unknown_is() -> None:
    assert Retention(100.0, (("unknown", 5.0),)).seconds("no such level") == 5.0
    assert Retention(100.0).seconds("no such level") == 100.0
