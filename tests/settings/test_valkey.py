"""`[valkey]`: where it may lead, that no password stands in the file, and what the data plane is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from freehold.settings.errors import MissingSecret
from freehold.settings.load import load
from freehold.settings.problems import InvalidConfig
from freehold.settings.valkey import shared_of


def settings(tmp_path, text: str):
    (tmp_path / "freehold.toml").write_text(text)
    return load(str(tmp_path / "freehold.toml"), None).settings


@pytest.mark.parametrize(
    "url", ["valkey://h", "valkeys://h:1/2", "redis://user@h:6379/0", "rediss://[::1]:6379", "valkey://127.0.0.1:6379/"]
)
def test_urls_that_lead_somewhere(tmp_path, url) -> None:
    assert shared_of(settings(tmp_path, f'[valkey]\nurl = "{url}"\n')).url == url


@pytest.mark.parametrize(
    "url", ["http://h", "h:6379", "valkey://", "valkey://h:0", "valkey://h:x", "valkey://h/x", "valkey://h/0?ssl=no"]
)
def test_urls_that_do_not(tmp_path, url) -> None:
    with pytest.raises(InvalidConfig, match="must read valkey"):
        settings(tmp_path, f'[valkey]\nurl = "{url}"\n')


def test_a_password_in_the_url_is_refused_and_not_repeated(tmp_path) -> None:
    with pytest.raises(InvalidConfig, match="must not hold the password") as told:
        settings(tmp_path, '[valkey]\nurl = "valkey://u:planted@h"\n')
    assert "planted" not in str(told.value)


def test_what_the_data_plane_is_told(tmp_path, monkeypatch) -> None:
    text = (
        '[gateway]\nprocesses = 2\n[valkey]\nurl = "valkey://h"\nwhen_away = "refuse"\n'
        'password = "${file:secret}"\ntls_ca = "ca.pem"\n'
    )
    with pytest.raises(MissingSecret):
        shared_of(settings(tmp_path, text))
    (tmp_path / "secret").write_text("planted\n")
    found = shared_of(settings(tmp_path, text))
    assert (found.share, found.refuses, found.password()) == (2, True, "planted")
    assert found.tls_ca == str(tmp_path / "ca.pem")
    assert "planted" not in repr(found)
    (tmp_path / "secret").write_text("newer\n")
    assert found.password() == "newer", "a password that was changed is used with the next connection"


def test_nothing_is_shared_unless_it_says_so(tmp_path) -> None:
    assert shared_of(settings(tmp_path, "")) is None


def test_the_client_is_loaded_only_where_it_is_used() -> None:
    code = "import sys, freehold.app, freehold.gateway.serve, freehold.cli.doctor; print('valkey' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
