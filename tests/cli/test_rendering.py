"""`freehold deploy render`: writes where it is told, never over what is there, and says what it wrote."""

from __future__ import annotations

import pytest

from freehold.assurance.deploying.types import ENGINES_AS
from freehold.assurance.deploying.types import KINDS as KNOWN
from freehold.cli.rendering import KINDS, render


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_written_and_listed(cli, tmp_path, kind):
    told = cli("deploy", "render", kind, "--out", "there", "--json").json
    written = sorted(
        one.relative_to(tmp_path / "there").as_posix() for one in (tmp_path / "there").rglob("*") if one.is_file()
    )
    assert told["files"] == written and "NOTES.md" in written
    assert told["kind"] == kind and told["folder"] == "there"


def test_what_is_there_stays_unless_it_is_said(cli, tmp_path):
    assert cli("deploy", "render", "systemd").code == 0
    unit = tmp_path / "deploy-systemd" / "freehold.service"
    unit.write_text("mine")
    refused = cli("deploy", "render", "systemd")
    assert refused.code != 0 and "there already" in refused.err and unit.read_text() == "mine"
    assert cli("deploy", "render", "systemd", "--overwrite").code == 0 and unit.read_text() != "mine"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--memory", "lots"], "no quantity"),
        (["--image", "a b"], "no name of an image"),
        (["--cidr", "192.0.2.0/24"], "has no ="),
        (["--cidr", "host=here"], "no address block"),
        (["--cidr", "host=192.0.2.0/24"], "does not connect"),
    ],
)
def test_options_that_cannot_be_written_are_refused(cli, tmp_path, options, why):
    found = cli("deploy", "render", "kubernetes", *options)
    assert found.code != 0 and why in found.err
    assert not (tmp_path / "deploy-kubernetes").exists()


def test_options_of_a_cluster_are_refused_elsewhere(cli):
    assert cli("deploy", "render", "compose", "--cilium").code == 2


def test_the_choices_are_those_there_are():
    assert KINDS == KNOWN
    (served,) = (one for one in render.params if one.name == "engines_as")
    assert sorted(served.type.choices) == sorted(ENGINES_AS)
