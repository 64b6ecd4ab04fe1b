"""What lines may ask is what the gateway serves."""

from __future__ import annotations

import pytest

from freehold.batches.types import ENDPOINTS
from freehold.gateway.dialects.registry import DIALECTS
from tests.batches.conftest import START, Office, line


def test_every_endpoint_of_batches_is_served_by_a_dialect():
    served = {path for one in DIALECTS for path in one.paths}
    assert set(ENDPOINTS) <= served


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"endpoint": "/v1/audio/speech"}, "endpoint"),
        ({"completion_window": "24"}, "completion_window"),
        ({"completion_window": "169h"}, "completion_window"),
        ({"completion_window": "0h"}, "completion_window"),
        ({"metadata": {"a": "x" * 513}}, None),
        ({"metadata": {"a": 1}}, None),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 60}}, None),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(office, wish, param):
    file = office.upload(b"{}")
    told = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h", **wish}
    answer = office.tell("POST", "/v1/batches", told)
    assert answer.status == 400
    assert param is None or f'"param":"{param}"'.encode() in answer.body
    assert office.ok("GET", "/v1/batches")["data"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/files", 405),
        ("POST", "/v1/files/file-00", 405),
        ("DELETE", "/v1/batches/batch_00", 405),
        ("GET", "/v1/files/file-00", 404),
        ("GET", "/v1/files/file-00/contents", 404),
        ("GET", "/v1/files/", 404),
        ("GET", "/v1/batches/batch_zz", 404),
        ("GET", "/v1/batches/a/b/c", 404),
        ("POST", "/v1/batches", 400),
    ],
)
def test_what_is_not_there_is_told(office, method, path, status):
    assert office.tell(method, path, b"{").status == status


def test_output_expires_when_its_maker_wants(office):
    batch = office.start(line(1), wish={"output_expires_after": {"anchor": "created_at", "seconds": 3600}})
    office.run()
    output = office.ok("GET", f"/v1/files/{office.show(batch)['output_file_id']}")
    assert output["expires_at"] == START + 3600


def test_a_key_has_only_so_many_batches_at_a_time(tmp_path):
    office = Office(tmp_path, max_waiting=1)
    office.start(line(1))
    file = office.upload(line(1))
    told = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    assert office.tell("POST", "/v1/batches", told).error == "FH-LIM-001"
    office.run()
    assert office.tell("POST", "/v1/batches", told).status == 200
    office.engine.dispose()
