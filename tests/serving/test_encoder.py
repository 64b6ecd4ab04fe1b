"""The encoder in numpy says what the engine says, and cuts texts as the reference does."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from freehold.core.errors import BadArtefact
from freehold.serving.catalogue import MODELS
from freehold.serving.encoder import MOST_TOKENS, Encoder
from freehold.serving.wordpiece import WORD_START, WordPiece

KNOWN = st.sampled_from(
    [
        one
        for one in map(chr, range(0x10000))
        if one != WORD_START
        and unicodedata.category(one) not in ("Cs", "Cn")
        and unicodedata.ucd_3_2_0.category(one) == unicodedata.category(one)
    ]
)
"""What is the same since Unicode 3.2, as not all agree about what younger versions added; but for the mark that the
vocabulary itself uses."""
TEXTS = [
    "Is there an option to top up with a cheque?",
    "I didn't buy this twice!",
    "Überraschung: naïve café, 3.50€ + $7 = ¥?",
    "漢字 and words",
    "",
    "x",
    "supercalifragilisticexpialidocious " * 60,
]


@pytest.fixture(scope="module")
def file(weights):
    return weights / next(one for one in MODELS if one.kind == "embedding").file


@pytest.fixture(scope="module")
def encoder(file):
    return Encoder(file)


@pytest.fixture(scope="module")
def pieces(file):
    return WordPiece(_tokens(file))


@pytest.fixture(scope="module")
def reference(file, tmp_path_factory):
    """The maker's tokenizer, with the vocabulary in its own form."""

    def own(one):
        if one.startswith(WORD_START):
            return one[1:]
        return one if one.startswith("[") and one.endswith("]") and len(one) > 2 else f"##{one}"

    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(own(one) for one in _tokens(file)) + "\n", encoding="utf-8")
    return BertWordPieceTokenizer(str(path), lowercase=True)


def test_vectors_are_the_engines(encoder, embed_engine):
    texts = [one for one in TEXTS if one and len(one) < 500]
    status, body = embed_engine.post("/v1/embeddings", {"input": texts})
    assert status == 200
    theirs = np.array([one["embedding"] for one in json.loads(body)["data"]], np.float32)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert (encoder.vectors(texts) * theirs).sum(axis=1).min() > 0.997


def test_a_text_has_the_same_vector_alone_and_among_others(encoder):
    made = encoder.vectors(TEXTS)
    assert made.shape == (len(TEXTS), encoder.width)
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    for text, vector in zip(TEXTS, made, strict=True):
        assert np.allclose(encoder.vector(text), vector, atol=1e-4)


@settings(max_examples=200)
@given(text=st.text(KNOWN, max_size=60) | st.sampled_from(TEXTS))
def test_texts_are_cut_as_the_reference_cuts_them(pieces, reference, text):
    assert pieces.ids(text, 10_000) == reference.encode(text).ids


def test_long_texts_end_where_the_encoder_does(pieces):
    ids = pieces.ids(TEXTS[-1], MOST_TOKENS)
    assert len(ids) == MOST_TOKENS
    assert ids[-1] == pieces.ids("", 9)[-1]


def _tokens(file):
    return GGUFReader(file).fields["tokenizer.ggml.tokens"].contents()


def test_what_is_no_encoder_is_refused(weights, tmp_path):
    chat = weights / next(one for one in MODELS if one.kind == "chat").file
    (tmp_path / "nothing.gguf").write_bytes(b"GGUF nothing of the kind")
    for path in (chat, tmp_path / "nothing.gguf"):
        with pytest.raises(BadArtefact):
            Encoder(path)
