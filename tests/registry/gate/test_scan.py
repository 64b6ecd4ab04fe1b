from __future__ import annotations

import json
import os
import stat

import numpy as np
import pytest
from click.testing import CliRunner

from freehold.cli.main import freehold
from freehold.registry.gate import second_opinions
from freehold.registry.gate.apart import scan_apart
from freehold.registry.gate.scan import rules, scan
from freehold.registry.gate.types import Limits
from tests.registry.gate.hostile import RUN, zipped


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    np.save(folder / "a.npy", np.arange(3.0))
    return folder


def codes(report):
    return {why.code for why in report.reasons} | {why.code for one in report.files for why in one.reasons}


def test_a_report_names_every_file_with_its_digest(model):
    report = scan(model)
    assert (report.verdict, [one.name for one in report.files]) == ("allow", ["a.npy"])
    assert (report.files[0].format, len(report.files[0].sha256)) == ("npy", 64)
    assert report == scan(model)
    assert report.rules == rules()


def test_a_link_is_never_followed(model, tmp_path):
    (model / "b.npy").symlink_to(model / "a.npy")
    (model / "sub").symlink_to(tmp_path)
    report = scan(model)
    assert (report.verdict, codes(report), len(report.files)) == ("block", {"name.kind"}, 1)
    assert scan(model / "b.npy").verdict == "block"


def test_what_is_no_file_is_blocked(model):
    os.mkfifo(model / "pipe")
    assert scan(model).verdict == "block"


def test_what_nobody_knows_is_never_allowed(model):
    (model / "data.bin").write_bytes(bytes((each * 7919 + 13) % 256 for each in range(4096)))
    assert scan(model).verdict == "review"


def test_names_that_differ_by_case_alone_ask_for_a_person(model):
    (model / "A.npy").write_bytes((model / "a.npy").read_bytes())
    assert scan(model).verdict == "review"


def test_a_folder_without_files_is_not_allowed(tmp_path):
    assert scan(tmp_path).verdict == "review"


def test_quotes_of_hostile_names_stay_on_one_line(model):
    (model / "a\x1b[31m\nb").write_bytes(RUN)
    report = scan(model)
    assert report.verdict == "block"
    assert all("\n" not in one.name and "\x1b" not in one.name for one in report.files)


def test_the_same_is_said_in_a_process_apart(model):
    (model / "weights").write_bytes(RUN)
    assert scan_apart(model) == scan(model)


def test_a_look_that_takes_too_much_blocks(model):
    (model / "many.zip").write_bytes(zipped({f"{number}": b"" for number in range(3000)}))
    assert codes(scan_apart(model, Limits(members=100))) == {"gate.budget"}
    ticks = iter(range(0, 10_000, 20))
    assert codes(scan(model, Limits(), clock=lambda: next(ticks))) == {"gate.budget"}


def test_the_command_tells_by_its_exit_code(model):
    good = CliRunner().invoke(freehold, ["models", "scan", str(model), "--json"])
    assert (good.exit_code, json.loads(good.stdout)["verdict"]) == (0, "allow")
    (model / "weights").write_bytes(RUN)
    bad = CliRunner().invoke(freehold, ["models", "scan", str(model)])
    assert bad.exit_code == 4
    assert "pickle.import" in bad.stdout


@pytest.mark.parametrize(("code", "verdict"), [(0, "allow"), (1, "review"), (7, "review")])
def test_other_scanners_make_a_verdict_harder_alone(model, tmp_path, code, verdict):
    program = tmp_path / "picklescan"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    report = second_opinions.asked(scan(model), model, find=lambda name: str(program) if name == "picklescan" else None)
    assert report.verdict == verdict
    (model / "weights").write_bytes(RUN)
    assert second_opinions.asked(scan(model), model, find=lambda _: str(program)).verdict == "block"
