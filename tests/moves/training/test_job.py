"""A job's folder: only cleared lessons, whole files, resumed where it stood, clear words when the disk is full."""

from __future__ import annotations

import os
import stat

import msgspec
import pytest

from freehold.core.errors import BadArtefact, Conflict, FileRefused, RightsRefused
from freehold.moves.training.child import main, run_job
from freehold.moves.training.job import Job, Progress, Workshop, prepare, read_progress, read_result
from freehold.policy.rights import Facts, Rules, gate
from tests.moves.training.lessons import TODAY, folder_of, made


def test_lessons_cleared_for_another_use_make_no_job(tmp_path):
    cleared = gate([(made(1)[0], Facts(id="1", label="public", maker="person"))], "evaluate", Rules(), TODAY).cleared
    for recipe in ("classifier", "lora", "prompt"):
        with pytest.raises(RightsRefused):
            prepare(tmp_path / "job", Job(recipe=recipe, workflow="w"), cleared)
    assert not (tmp_path / "job").exists()


def test_lessons_lie_in_order_of_time_and_for_this_user_only(tmp_path):
    folder = folder_of(tmp_path / "job", made(9)[::-1])
    shop = Workshop(folder)
    assert [one.at for one in shop.lessons()] == sorted(one.at for one in made(9))
    assert shop.job.lessons == 9 and shop.job.cleared_on == TODAY.isoformat()
    assert stat.S_IMODE((folder / "train.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_lessons_that_were_changed_after_the_gate_are_refused(tmp_path):
    folder = folder_of(tmp_path / "job", made(5))
    with (folder / "train.jsonl").open("ab") as file:
        file.write(b'{"id":"x","at":1,"request":"{}","answer":{"text":"smuggled"}}\n')
    with pytest.raises(BadArtefact):
        Workshop(folder)


def test_a_checkpoint_comes_back_whole_with_its_time_and_steps(tmp_path):
    folder = folder_of(tmp_path / "job", made(5))
    shop = Workshop(folder)
    for step in range(1, 6):
        shop.tell(Progress(step, 10, 1 / step, 0.1 * step))
    shop._before = 100.0
    shop.save(b"the state", 3)
    shop.tell(Progress(6, 10, 0.1, 0.6))
    with (folder / "progress.jsonl").open("ab") as file:
        file.write(b'{"step": 7, "of"')  # killed in the middle of a line
    assert [one.step for one in read_progress(folder)] == [1, 2, 3, 4, 5, 6]
    again = Workshop(folder)
    assert again.resume() == b"the state"
    assert [one.step for one in read_progress(folder)] == [1, 2, 3]
    assert again.seconds() >= 100.0


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "header", "other job"])
def test_a_damaged_checkpoint_means_from_the_start(tmp_path, damage):
    folder = folder_of(tmp_path / "job", made(5))
    shop = Workshop(folder)
    shop.tell(Progress(1, 2, 1.0, 0.1))
    shop.save(b"x" * 1000, 1)
    path = folder / "checkpoint"
    whole = path.read_bytes()
    if damage == "other job":
        prepare(folder, Job(recipe="classifier", workflow="w", seed=5), _cleared())
    else:
        path.write_bytes({"truncate": whole[:-1], "flip": whole[:-1] + b"y", "empty": b"", "header": whole[5:]}[damage])
    again = Workshop(folder)
    assert again.resume() is None
    assert read_progress(folder) == []


def _cleared():
    pairs = [(one, Facts(id=one.id, label="internal", maker="synthetic")) for one in made(5)]
    return gate(pairs, "train_classifier", Rules(), TODAY).cleared


def test_a_full_disk_is_said_and_leaves_the_last_state(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "job", made(5))
    shop = Workshop(folder)
    shop.save(b"good", 0)
    (folder / "progress.jsonl").symlink_to("/dev/full")
    with pytest.raises(FileRefused, match="No space left"):
        shop.tell(Progress(1, 2, 1.0, 0.1))
    (folder / "progress.jsonl").unlink()

    def full(descriptor):
        raise OSError(28, "No space left on device", "checkpoint")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileRefused, match="No space left"):
        shop.save(b"never", 1)
    with pytest.raises(FileRefused):
        shop.finish("f", [], {})
    assert not list(folder.glob(".*.part")) and read_result(folder) is None
    monkeypatch.undo()
    assert Workshop(folder).resume() == b"good"


def test_a_file_under_out_is_whole_or_not_there(tmp_path):
    shop = Workshop(folder_of(tmp_path / "job", made(5)))

    def breaks(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    with pytest.raises(FileRefused):
        shop.write("model", breaks)
    assert list(shop.out.iterdir()) == []


def test_a_result_is_checked_byte_by_byte_when_read(tmp_path):
    folder = folder_of(tmp_path / "job", made(5))
    shop = Workshop(folder)
    shop.write("model", lambda path: path.write_bytes(b"weights"))
    done = shop.finish("form", ["model"], {"accuracy": 1.0})
    assert read_result(folder) == done and done.bytes == 7 and done.job.dataset == shop.job.dataset
    (shop.out / "model").write_bytes(b"weightz")
    with pytest.raises(BadArtefact):
        read_result(folder)


def test_one_process_at_a_time_works_in_a_folder_and_a_done_job_is_not_run_again(tmp_path):
    folder = folder_of(tmp_path / "job", made(5))

    def run(shop):
        with pytest.raises(Conflict):
            run_job(folder, run)
        return shop.finish("form", [], {"runs": 1})

    first = run_job(folder, run)
    assert run_job(folder, lambda shop: pytest.fail("ran again")) == first


def test_the_command_says_what_is_wrong_and_what_helps(tmp_path, capsys):
    folder = folder_of(tmp_path / "job", made(5))
    (folder / "job.json").write_bytes(msgspec.json.encode({"recipe": "magic"}))
    assert main(lambda shop: None, None, ["--job", str(folder)]) == 1
    assert "error[FH-ART-001]" in capsys.readouterr().err
    assert main(lambda shop: None, None, ["--job", str(tmp_path / "nowhere")]) == 1
    assert "error[FH-AVA-005]" in capsys.readouterr().err
