from __future__ import annotations

import os
import time
from itertools import count

import pytest

from freehold.core.errors import BadArtefact, NotFound
from freehold.guard.keys import VaultKeys


@pytest.fixture
def keys(tmp_path):
    return VaultKeys(tmp_path / "vault", os.urandom, time.time)


def test_each_tenant_has_a_key_of_its_own_that_stays(keys, tmp_path):
    one, other = keys.secret("search"), keys.secret("finance")
    assert len(one) == 32 and one != other
    assert VaultKeys(tmp_path / "vault", os.urandom, time.time).secret("search") == one


def test_keys_are_private_files(keys, tmp_path):
    keys.secret("search")
    (file,) = (tmp_path / "vault").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_held_is_told_without_the_keys(tmp_path):
    ticks = count(100)
    keys = VaultKeys(tmp_path / "vault", os.urandom, lambda: float(next(ticks)))
    keys.secret("b/team")
    keys.secret("a")
    assert [(one.tenant, one.made_at) for one in keys.held()] == [("a", 101.0), ("b/team", 100.0)]


def test_an_erased_key_is_gone_at_once_for_whoever_has_read_it(keys, tmp_path):
    elsewhere = VaultKeys(tmp_path / "vault", os.urandom, time.time)
    before = keys.secret("search")
    assert elsewhere.secret("search") == before
    keys.erase("search")
    assert list((tmp_path / "vault").iterdir()) == []
    assert keys.held() == ()
    after = elsewhere.secret("search")
    assert after != before
    assert keys.secret("search") == after


def test_erasing_leaves_nothing_of_the_key_in_the_file(keys, tmp_path):
    keys.secret("search")
    (file,) = (tmp_path / "vault").iterdir()
    with file.open("rb") as before:
        keys.erase("search")
        assert set(before.read()) == {0}


def test_erasing_what_is_not_there_says_so(keys):
    with pytest.raises(NotFound):
        keys.erase("search")


def test_a_file_that_holds_no_key_is_not_used_as_one(keys, tmp_path):
    keys.secret("search")
    (file,) = (tmp_path / "vault").iterdir()
    file.write_bytes(bytes(64))
    with pytest.raises(BadArtefact):
        keys.secret("search")
    with pytest.raises(BadArtefact):
        keys.held()
    keys.erase("search")
    assert keys.secret("search")
