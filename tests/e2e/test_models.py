"""A model comes from a folder, past the gate, to an engine that answers calls: the whole way, by commands."""

from __future__ import annotations

import shutil

import pytest

from freehold.identity.service import service_key
from freehold.registry.admission import reads
from freehold.serving.wanted import wait_ready

CONFIG = """\
[routes.main]
targets = ["gpt"]
"""
NAME = "owned-mine"
CARD = "---\nlicense: apache-2.0\n---\nA small model.\n"


@pytest.mark.skipif(not reads("gguf"), reason="the gate has no reader for GGUF")
def test_a_model_is_added_shown_verified_served_and_taken_along(instance, weights, tmp_path):
    folder = tmp_path / "SmolLM2"
    folder.mkdir()
    shutil.copyfile(weights / "smollm2-135m-instruct.gguf", folder / "model.gguf")
    (folder / "README.md").write_text(CARD)
    made = instance.freehold("models", "add", str(folder), "--name", "mine")
    assert (made["kind"], made["format"], made["licence"]) == ("chat", "gguf", "Apache-2.0")
    assert made["papers"]["scan"] == "allow"
    assert instance.freehold("models", "show", "mine")["papers"] == made["papers"]
    assert instance.freehold("models", "verify", "mine") == [
        {"name": "mine", "good": True, "reason": "signature and every byte match"}
    ]
    instance.freehold("models", "deploy", "mine", "--target", NAME, "--context", "2048", "--slots", "1")
    wait_ready(instance.home, NAME, 60)
    key = service_key(instance.home)
    body = {"model": f"target:{NAME}", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    got = instance.ask("/v1/chat/completions", body, {"x-freehold-label": "restricted:GDPR"}, key)
    assert got.status == 200, got.body
    assert got.json["choices"][0]["message"]["content"]
    instance.freehold("models", "export", "mine", str(tmp_path / "out"))
    assert (tmp_path / "out" / "README.md").read_text() == CARD
    assert (tmp_path / "out" / "model.sig").is_file()
