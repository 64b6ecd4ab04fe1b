"""The recipe `lora` on the first layers of the embedded model: it learns, resumes to the same bytes, and leaves both forms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from freehold.core.errors import BadArtefact
from freehold.moves.training.child import run_job
from freehold.moves.training.errors import BadOption
from freehold.moves.training.job import Base, read_progress
from freehold.moves.training.lora import ADAPTER, run
from freehold.moves.training.lora_options import options_of
from freehold.registry.artefacts import digest_of
from freehold.serving import adapter_gguf
from tests.moves.training.lessons import folder_of, made
from tests.serving.reference import Reference, shorten

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("peft", reason="the extra `train` is not installed")

OPTIONS = {"steps": 6, "batch": 4, "rate": 0.005, "checkpoint_seconds": 0.0}


@pytest.fixture(scope="module")
def base(weights, tmp_path_factory):
    path = shorten(weights / "smollm2-135m-instruct.gguf", tmp_path_factory.mktemp("base") / "short.gguf", 2)
    return Base("short", str(path), digest_of(path))


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    folder = folder_of(tmp_path_factory.mktemp("whole") / "job", made(40), "lora", base=base, options=OPTIONS)
    return folder, run_job(folder, run)


@pytest.mark.filterwarnings("ignore")
def test_the_loss_falls_on_lessons_it_has_not_seen_and_is_told_live(whole):
    folder, result = whole
    assert result.metrics["loss_after"] < 0.8 * result.metrics["loss_before"]
    assert result.metrics["held_out"] == 4 and result.metrics["examples"] == 36
    steps = read_progress(folder)
    assert [one.step for one in steps] == [1, 2, 3, 4, 5, 6] and steps[-1].loss < steps[0].loss


def test_it_leaves_pefts_folder_and_the_same_numbers_as_gguf(whole, base):
    folder, result = whole
    assert [one.name for one in result.files] == [ADAPTER, adapter_gguf.CONFIG, adapter_gguf.WEIGHTS]
    config = json.loads((folder / "out" / adapter_gguf.CONFIG).read_text())
    assert config["base_model_name_or_path"] == "short" and config["target_modules"] == sorted(config["target_modules"])
    ours = adapter_gguf.read(folder / "out" / ADAPTER)
    theirs = adapter_gguf.from_peft(folder / "out", Path(base.file))
    assert ours.alpha == theirs.alpha and set(ours.pairs) == set(theirs.pairs) and len(ours.pairs) == 2 * 7
    for name in ours.pairs:
        np.testing.assert_allclose(ours.delta(name), theirs.delta(name), atol=1e-4)
        assert np.abs(ours.delta(name)).max() > 0


@pytest.mark.filterwarnings("ignore")
def test_killed_in_the_middle_it_ends_in_the_same_bytes(whole, base, tmp_path):
    folder = folder_of(tmp_path / "job", made(40), "lora", base=base, options=OPTIONS)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "-m", "freehold.moves.training.lora", "--job", str(folder)]
    child = subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while len(read_progress(folder)) < 3 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert child.poll() is None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    result = run_job(folder, run)
    assert result.files == whole[1].files
    assert [one.loss for one in read_progress(folder)] == [one.loss for one in read_progress(whole[0])]


@pytest.fixture(scope="module")
def loaded(base):
    from freehold.moves.training.base_model import load

    return load(Path(base.file), torch.float32, "cpu")


@pytest.mark.filterwarnings("ignore")
def test_the_base_in_torch_is_the_model_in_the_file(base, loaded):
    tokens = [1, 4093, 198, 2683, 253, 18]
    model, tokenizer = loaded
    with torch.no_grad():
        found = torch.log_softmax(model(torch.tensor([tokens])).logits[0, -1].double(), -1).numpy()
    np.testing.assert_allclose(found, Reference(base.file).logprobs(tokens), atol=2e-3)
    assert "<|im_start|>" in tokenizer.chat_template


@pytest.mark.filterwarnings("ignore")
def test_what_prompts_share_is_run_once_and_changes_no_loss(loaded):
    import peft

    from freehold.moves.training.chat_text import Example
    from freehold.moves.training.lora_steps import Trainer

    tuned = peft.get_peft_model(loaded[0], peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
    shared = tuple(range(100, 130))
    examples = [Example((*shared, *range(200 + i, 206 + 2 * i), 7, 8), 36 + i) for i in range(4)]
    trainer = Trainer(tuned, examples, options_of({"steps": 1}), 0)
    assert trainer.shared == 30
    once = trainer.judge(examples)
    trainer.shared = 0
    assert once == pytest.approx(trainer.judge(examples), abs=1e-4)
    before = [one.detach().clone() for one in tuned.parameters() if one.requires_grad]
    ended = []
    for tokens in (9999, 12):  # a batch in one go, and in parts
        params = [one for one in tuned.parameters() if one.requires_grad]
        for one, old in zip(params, before, strict=True):
            one.data.copy_(old)
        loss = Trainer(tuned, examples, options_of({"steps": 1, "tokens_at_once": tokens}), 0).advance()
        ended.append([torch.tensor([loss]), *(one.detach().clone() for one in params)])
    for one, other in zip(*ended, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_a_base_that_is_not_the_one_named_is_refused(base, tmp_path):
    other = Base(base.name, base.file, "0" * 64)
    with pytest.raises(BadArtefact):
        run_job(folder_of(tmp_path / "job", made(40), "lora", base=other), run)
    with pytest.raises(BadOption):
        run_job(folder_of(tmp_path / "none", made(40), "lora"), run)


@pytest.mark.parametrize("options", [{"rank": 0}, {"rate": -1.0}, {"epochs": 0}, {"magic": 1}, {"device": "abacus"}])
def test_options_that_make_no_sense_are_named(options):
    with pytest.raises(BadOption):
        options_of(options)


def test_every_lesson_is_met_once_an_epoch_in_an_order_of_the_seed():
    from freehold.moves.training.lora_steps import schedule

    lengths = [7 * i % 13 for i in range(50)]
    batches = schedule(50, 8, 1, 0, lengths)
    assert sorted(i for one in batches for i in one) == list(range(50)) and max(map(len, batches)) == 8
    assert batches == schedule(50, 8, 1, 0, lengths)
    assert batches != schedule(50, 8, 1, 1, lengths) and batches != schedule(50, 8, 2, 0, lengths)
