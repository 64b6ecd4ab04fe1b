"""Snapshots: signed, versions that only grow, the file and the database agreeing after any accident."""

from __future__ import annotations

import msgspec
import pytest

from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature
from freehold.core.snapshot import read_snapshot, write_snapshot
from freehold.gateway.routing.types import Routes
from freehold.server import store
from freehold.settings.load import parse

KINDS = ("keys", "policy", "routes")


def settings(text=""):
    return parse(b"[serving]\nenabled = false\n" + text.encode(), None, {}).settings


def on_file(instance, kind):
    return read_snapshot(instance.home / "snapshots", kind, msgspec.Raw, instance.identity)


def test_the_same_content_is_not_published_twice(instance):
    assert instance.publisher.publish(instance.settings) == instance.versions


def test_only_what_changed_gets_a_new_version(instance):
    before = dict(instance.versions)
    after = instance.publisher.publish(settings("[policy]\nair_gapped = true\n[teams.search]\nbudget = 5\n"))
    assert after["policy"] == before["policy"] + 1
    assert after["routes"] == before["routes"] + 1
    assert after["keys"] == before["keys"]
    assert {kind: on_file(instance, kind)[0] for kind in KINDS} == {kind: after[kind] for kind in KINDS}
    assert after["workflows"] == 0


def test_going_back_to_old_content_is_a_new_version(instance):
    old = instance.settings
    instance.publisher.publish(settings())
    assert instance.publisher.publish(old)["routes"] == 3


def test_what_a_version_said_is_kept(instance):
    instance.publisher.publish(settings())
    with reading(instance.engine) as connection:
        first = msgspec.msgpack.decode(store.content(connection, "routes", 1), type=Routes)
    assert [one.name for one in first.routes] == ["assistant"]


def test_a_lost_file_is_written_again(instance):
    (instance.home / "snapshots" / "keys.snapshot").unlink()
    instance.publisher.publish(instance.settings)
    assert on_file(instance, "keys")[0] == instance.versions["keys"]


def test_a_crash_between_database_and_file_is_made_good(instance):
    with writing(instance.engine) as connection:
        recorded = instance.publisher.record(connection, settings())
    assert on_file(instance, "routes")[0] == recorded["routes"] - 1
    assert instance.publisher.publish(settings()) == recorded
    assert {kind: on_file(instance, kind)[0] for kind in KINDS} == {kind: recorded[kind] for kind in KINDS}


def test_a_file_ahead_of_a_restored_database_is_passed(instance):
    write_snapshot(instance.home / "snapshots", "routes", 40, 0.0, Routes(), instance.identity)
    assert instance.publisher.publish(instance.settings)["routes"] == 41
    assert on_file(instance, "routes")[0] == 41


def test_a_file_somebody_else_signed_is_replaced(instance):
    path = instance.home / "snapshots" / "policy.snapshot"
    path.write_bytes(b"\x00" * 64 + path.read_bytes()[64:])
    with pytest.raises(BadSignature):
        on_file(instance, "policy")
    instance.publisher.publish(instance.settings)
    assert on_file(instance, "policy")[0] == instance.versions["policy"]
