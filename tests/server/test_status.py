"""The instance at a glance: why the collector of telemetry is not told, as long as it is not."""

from __future__ import annotations

from freehold.core.db import writing
from freehold.settings.load import parse
from freehold.telemetry import store
from freehold.telemetry.store import Standing

ADDRESS = "http://127.0.0.1:4318"


def test_a_collector_that_fails_is_told_until_it_does_not(instance, client):
    loaded = parse(f'[telemetry]\notlp = "{ADDRESS}"\n'.encode(), None, {}, str(instance.home))
    assert client.get("/api/status").json()["collector"] == ""
    instance.adopt(loaded, "test")
    assert client.get("/api/status").json()["collector"] == "", "it was not asked yet"
    for error in ("the collector answered 503 to /v1/traces", ""):
        with writing(instance.engine) as connection:
            store.keep(connection, Standing(endpoint=ADDRESS, leaf=3, error=error))
        assert client.get("/api/status").json()["collector"] == error
