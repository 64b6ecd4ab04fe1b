"""A home becomes a replica's: again by the same file, also where it was cut short, and never one that is another's."""

from __future__ import annotations

import msgspec
import pytest

from freehold.core.errors import BadConfig, Conflict
from freehold.settings.joining import Joining, join, replica_of, write_joining

JOINING = Joining(replica="r1", dock="[::1]:8702", token="t", certificate="pem", identity=b"i" * 32, data_key=b"k" * 32)


@pytest.fixture
def file(tmp_path):
    write_joining(tmp_path / "r1.join", JOINING)
    return tmp_path / "r1.join"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_a_home_joins_and_may_do_so_again(home, file):
    assert join(home, file) == join(home, file) == replica_of(home) == JOINING
    assert (home / "data.key").read_bytes() == JOINING.data_key
    assert JOINING.address == ("::1", 8702)


def test_what_was_cut_short_is_gone_on_with(home, file):
    (home / "data.key").write_bytes(JOINING.data_key)
    assert join(home, file) == JOINING


@pytest.mark.parametrize("name", ["freehold.db", "identity.key", "data.key"])
def test_a_home_of_another_kind_is_left_alone(home, file, name):
    (home / name).write_bytes(b"another")
    with pytest.raises(Conflict, match="an instance of its own"):
        join(home, file)
    assert {one.name for one in home.iterdir()} == {name}


def test_a_replica_of_another_instance_is_left_alone(home, file):
    write_joining(home / "replica.json", msgspec.structs.replace(JOINING, identity=b"o" * 32))
    with pytest.raises(Conflict, match="another instance"):
        join(home, file)


@pytest.mark.parametrize("text", [b"", b"{}", b"nothing"])
def test_what_is_no_file_to_join_with_is_told(home, file, text):
    file.write_bytes(text)
    with pytest.raises(BadConfig, match="no file to join with"):
        join(home, file)
