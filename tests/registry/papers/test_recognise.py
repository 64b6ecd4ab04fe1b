"""Licences are recognised where they are said, and no place overrules another."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from freehold.registry.papers.cards import Card, read_card
from freehold.registry.papers.embedded import metadata
from freehold.registry.papers.licences import Licensee, Policy, Use, decide
from freehold.registry.papers.recognise import UNREAD, licence_of_text, recognise, spelt

LLAMA = "LicenseRef-scancode-llama-3.1-license-2024"
MIT = """MIT License

Copyright (c) 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software.
"""


def text(length):
    return struct.pack("<Q", len(length)) + length.encode()


def gguf(path, **values):
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(values) + 2)
    ours = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in values.items())
    numbers = text("a.list") + struct.pack("<IIQ", 9, 4, 2) + struct.pack("<II", 1, 2)
    texts = text("a.texts") + struct.pack("<IIQ", 9, 8, 2) + text("x") + text("yy")
    path.write_bytes(head + numbers + texts + ours)


def tensors(path, **values):
    import json

    head = json.dumps({"__metadata__": values, "w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)


def card(root, front):
    (root / "README.md").write_text(f"---\n{front}\n---\n# A model\n")


@pytest.mark.parametrize(
    ("claim", "expression"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("llama3.1", LLAMA),
        ("Llama 3.1 Community License Agreement", LLAMA),
        ("MIT or Apache-2.0", "MIT OR Apache-2.0"),
        ("(mit and llama3.1)", f"MIT AND {LLAMA}"),
        ("BSL-1.1", "LicenseRef-bsl-1-1"),
        ("something of our own!", "LicenseRef-something-of-our-own"),
        ("🦙", "LicenseRef-unnamed"),
    ],
)
def test_one_licence_has_one_name(claim, expression):
    assert spelt(claim) == expression


def test_a_card_is_read_and_other_becomes_its_name(tmp_path):
    card(tmp_path, "license: other\nlicense_name: llama3.1\nbase_model: meta-llama/Llama-3.1-8B")
    found = recognise(tmp_path)
    assert found.expression == LLAMA
    assert found.source == "card"
    assert found.bases == ("meta-llama/Llama-3.1-8B",)
    assert not found.disagree


def test_an_adapter_that_calls_itself_free_is_bound_by_its_base(tmp_path):
    card(tmp_path, "license: mit\nbase_model:\n- meta-llama/Llama-4-Scout-17B-16E")
    found = recognise(tmp_path)
    assert found.expression == "MIT AND LicenseRef-scancode-llama-4-license-2025"
    decided = decide(found, Licensee(country="DE", monthly_users=1), Use(), Policy())
    assert decided.verdict == "block"


def test_a_base_that_only_the_configuration_names_counts_too(tmp_path):
    card(tmp_path, "license: mit")
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "google/gemma-2-9b"}')
    assert "gemma" in recognise(tmp_path).expression


def test_a_base_nobody_knows_goes_to_a_person_unless_its_licence_is_given(tmp_path):
    card(tmp_path, "license: apache-2.0\nbase_model: somebody/something")
    found = recognise(tmp_path)
    judged = decide(found, Licensee(), Use(), Policy())
    assert judged.verdict == "review"
    assert "base somebody/something" in " ".join(judged.reasons)
    held = recognise(tmp_path, bases={"somebody/something": "MIT"})
    assert decide(held, Licensee(), Use(), Policy()).verdict == "allow"


def test_who_adds_to_a_free_base_and_says_nothing_grants_nothing(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "microsoft/phi-4"}')
    assert recognise(tmp_path).expression == "NOASSERTION AND MIT"
    assert recognise(tmp_path, given="MIT OR ISC").expression == "(MIT OR ISC) AND MIT"


def test_one_base_that_a_person_names_settles_one_unknown_name_and_no_known_one(tmp_path):
    card(tmp_path, "license: apache-2.0\nbase_model: somebody/something")
    assert recognise(tmp_path, bases={"held": "MIT"}).expression == "Apache-2.0 AND MIT"
    card(tmp_path, "license: apache-2.0\nbase_model: [somebody/something, another/one]")
    assert "NOASSERTION" in recognise(tmp_path, bases={"held": "MIT"}).expression
    card(tmp_path, "license: apache-2.0\nbase_model: meta-llama/Llama-3.1-8B")
    assert LLAMA in recognise(tmp_path, bases={"held": "MIT"}).expression


def test_a_text_that_says_otherwise_than_the_card_is_told(tmp_path):
    card(tmp_path, "license: apache-2.0")
    (tmp_path / "LICENSE").write_text(MIT)
    found = recognise(tmp_path)
    assert found.disagree
    assert found.expression == "Apache-2.0 AND MIT"


@pytest.mark.parametrize(
    "added",
    [
        "The Software may not be used for commercial purposes.",
        "You shall not use the Software for military ends.",
        "Use is limited to research purposes.",
        "The Software shall be used for Good, not Evil.",
        "The License does not grant to you the right to Sell the Software.",
        "word " * 300,
    ],
)
def test_a_free_text_with_a_clause_more_is_not_that_licence(added):
    assert licence_of_text(MIT) == "MIT"
    assert licence_of_text(f"{MIT}\n{added}") == f"MIT AND {UNREAD}"


def test_a_text_nobody_knows_is_unread(tmp_path):
    (tmp_path / "LICENSE.txt").write_text("You may look at this.")
    found = recognise(tmp_path)
    assert found.expression == UNREAD
    assert decide(found, Licensee(), Use(), Policy()).verdict == "review"


def test_community_licences_are_known_by_their_titles():
    assert licence_of_text("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\nLlama 3.1 Version Release Date") == LLAMA
    assert licence_of_text("META LLAMA 3 COMMUNITY LICENSE AGREEMENT") == "LicenseRef-llama3"
    assert "gemma" in licence_of_text("Gemma Terms of Use")


@pytest.mark.parametrize(
    ("file", "expression"),
    [("Apache-2.0", "Apache-2.0"), ("GPL-3", "GPL-3.0-only"), ("LGPL-2.1", "LGPL-2.1-only"), ("MPL-2.0", "MPL-2.0")],
)
def test_texts_of_the_system_are_known(file, expression):
    path = Path("/usr/share/common-licenses") / file
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    assert licence_of_text(path.read_text()) == expression


def test_weights_that_speak_are_heard(tmp_path):
    gguf(tmp_path / "m.gguf", **{"general.license": "mit", "general.name": "m"})
    assert metadata(tmp_path / "m.gguf") == {"general.license": "mit", "general.name": "m"}
    assert recognise(tmp_path / "m.gguf").expression == "MIT"
    tensors(tmp_path / "m.safetensors", license="llama3.1")
    assert recognise(tmp_path / "m.safetensors").expression == LLAMA
    found = recognise(tmp_path)
    assert found.disagree


def test_a_gguf_file_names_its_base(tmp_path):
    key = "general.base_model.0.repo_url"
    gguf(tmp_path / "m.gguf", **{key: "https://hub.example/meta-llama/Llama-3.1-8B", "general.license": "llama3.1"})
    assert recognise(tmp_path / "m.gguf").bases == ("meta-llama/Llama-3.1-8B",)


@pytest.mark.parametrize(
    "data",
    [b"", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 40, b"\xff" * 64, b"GGUF\x03\0\0\0" + b"\0" * 8 + b"\x01" + b"\0" * 7],
)
def test_broken_weights_say_nothing(tmp_path, data):
    for name in ("m.gguf", "m.safetensors"):
        (tmp_path / name).write_bytes(data)
        assert metadata(tmp_path / name) == {}


def test_links_are_not_followed(tmp_path):
    (tmp_path / "there").write_text(MIT)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "LICENSE").symlink_to(tmp_path / "there")
    (folder / "README.md").symlink_to(tmp_path / "there")
    assert recognise(folder).expression == "NOASSERTION"


def test_a_card_tells_more(tmp_path):
    card(
        tmp_path,
        """license: [mit, apache-2.0]
language: en
pipeline_tag: image-text-to-text
library_name: transformers
datasets: [a/b, 7]
base_model_relation: merge
model-index:
- name: x
  results:
  - task: {type: text-generation}
    dataset: {name: MMLU}
    metrics: [{type: accuracy, value: 0.5}, {type: broken, value: [1]}]""",
    )
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "_name_or_path": "/home/me/x"}')
    found = read_card(tmp_path)
    assert found.licences == ("mit", "apache-2.0")
    assert (found.task, found.library, found.relation) == ("image-text-to-text", "transformers", "merge")
    assert found.multimodal is True
    assert found.datasets == ("a/b",)
    assert found.bases == ()
    assert [(one.dataset, one.kind, one.value) for one in found.metrics] == [("MMLU", "accuracy", "0.5")]


@pytest.mark.parametrize(
    "front",
    [
        "a: &a [1]\nb: [*a, *a]",
        "license: !!python/object/apply:os.system ['true']",
        "[" * 5000,
        "license: {mit: [}",
        "- a list",
        "\x00",
    ],
)
def test_a_hostile_card_says_nothing(tmp_path, front):
    card(tmp_path, front)
    assert read_card(tmp_path) == Card()


def test_a_configuration_with_another_tower_is_multimodal(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["X"], "vision_config": {}}')
    assert read_card(tmp_path).multimodal is True
    (tmp_path / "config.json").write_text('{"architectures": ["X"]}')
    assert read_card(tmp_path).multimodal is False
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert read_card(tmp_path).multimodal is None
