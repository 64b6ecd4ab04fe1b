"""The table [jobs], and what doctor says of it."""

from __future__ import annotations

import socket

import pytest

from freehold.cli.place import Place
from freehold.cli.servers import servers
from freehold.jobs import ray_pool
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig


def test_work_is_done_here_unless_said_otherwise():
    found = parse(b"", None, {}).settings.jobs
    assert (found.backend, found.address, found.processes) == ("local", "", 0)


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "user:word@head:6379", "http://head:1", "head:6379/x"])
def test_an_address_is_host_and_port_and_nothing_else(address):
    with pytest.raises(InvalidConfig) as error:
        parse(f'[jobs]\nbackend = "ray"\naddress = "{address}"'.encode(), None, {})
    assert "HOST:PORT" in error.value.problems[0].message


def test_an_address_without_ray_is_a_mistake():
    with pytest.raises(InvalidConfig) as error:
        parse(b'[jobs]\naddress = "head:6379"', None, {})
    assert 'backend must be "ray"' in error.value.problems[0].message


@pytest.mark.parametrize("url", ["gw:8080", "https://gw/v1", "https://user:word@gw", "ftp://gw", "https://gw?x=1"])
def test_where_nodes_ask_is_a_base_and_nothing_else(url):
    with pytest.raises(InvalidConfig) as error:
        parse(f'[jobs]\nbackend = "ray"\ngateway = "{url}"'.encode(), None, {})
    assert "https://HOST:PORT" in error.value.problems[0].message


def test_contents_stay_here_unless_said_otherwise_and_only_ray_takes_them():
    assert not parse(b'[jobs]\nbackend = "ray"', None, {}).settings.jobs.content
    with pytest.raises(InvalidConfig) as error:
        parse(b"[jobs]\ncontent = true", None, {})
    assert 'backend must be "ray"' in error.value.problems[0].message


def test_a_cluster_that_takes_contents_must_be_told_where_to_ask():
    text = b'[jobs]\nbackend = "ray"\naddress = "head:6379"\ncontent = true'
    with pytest.raises(InvalidConfig) as error:
        parse(text, None, {})
    assert "gateway must say where" in error.value.problems[0].message
    assert parse(text + b'\ngateway = "https://models.internal"', None, {}).settings.jobs.content


def told(tmp_path, text):
    (tmp_path / "freehold.toml").write_text(f'[instance]\nhome = "{tmp_path}/home"\n{text}')
    return list(servers(Place(str(tmp_path / "freehold.toml"), None), str(tmp_path / "freehold.toml")))


def test_doctor_says_nothing_of_local_work(tmp_path):
    assert told(tmp_path, "") == []


def test_doctor_says_whether_ray_is_there_and_answers(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        text = f'[jobs]\nbackend = "ray"\naddress = "{host}:{port}"'
        monkeypatch.setattr(ray_pool, "installed", lambda: "")
        (found,) = told(tmp_path, text)
        assert found.state == "fail" and "freehold[ray]" in found.fix
        monkeypatch.setattr(ray_pool, "installed", lambda: "2.60.0")
        (found,) = told(tmp_path, text)
        assert found.state == "ok" and f"{host}:{port}" in found.message
    (found,) = told(tmp_path, text)
    assert found.state == "fail" and "ray start" in found.fix
    (found,) = told(tmp_path, '[jobs]\nbackend = "ray"')
    assert found.state == "ok" and "this machine" in found.message
