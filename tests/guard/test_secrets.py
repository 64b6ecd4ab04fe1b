"""Secrets: what is found, what is passed, and that a stream of them is what the whole is."""

from __future__ import annotations

import gzip
import json
import random
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.guard.detectors.secrets import SPAN, Secrets, bits, stands_in
from freehold.guard.profile import compile_profile
from freehold.guard.scanner import Scanner
from freehold.guard.types import Piece, Profile, Rule

DATA = Path(__file__).parents[3] / "shared" / "data" / "guardrails" / "secrets_dev.jsonl.gz"
DETECTOR = Secrets()
ALPHABET = string.ascii_letters + string.digits


def drawn(count, alphabet=ALPHABET, seed=7):
    return "".join(random.Random(seed).choices(alphabet, k=count))


def found(text):
    return [(one.kind, text[one.start : one.end]) for one in DETECTOR.find(Piece(text))]


CASES = [
    ("AWS_ACCESS_KEY", "AKIA" + drawn(16, string.ascii_uppercase + "234567")),
    ("GITHUB_TOKEN", "ghp_" + drawn(36)),
    ("ANTHROPIC_KEY", "sk-ant-api03-" + drawn(93) + "AA"),
    ("OPENAI_KEY", "sk-proj-" + drawn(74) + "T3BlbkFJ" + drawn(74, seed=8)),
    ("HUGGINGFACE_TOKEN", "hf_" + drawn(34, string.ascii_letters)),
    ("GCP_API_KEY", "AIza" + drawn(35)),
    ("SLACK_TOKEN", "xoxb-123456789012-123456789012-" + drawn(24)),
    ("STRIPE_KEY", "sk_live_" + drawn(24)),
    ("GITLAB_TOKEN", "glpat-" + drawn(20)),
    ("NPM_TOKEN", "npm_" + drawn(36)),
    ("SENDGRID_KEY", "SG." + drawn(22) + "." + drawn(43, seed=9)),
]


@pytest.mark.parametrize(("kind", "secret"), CASES)
@pytest.mark.parametrize("around", ["{}", "the key is {}, keep it", 'KEY="{}"', "see\n{}\nthere", "({})"])
def test_a_secret_is_found_wherever_it_stands(kind, secret, around):
    assert (kind, secret) in found(around.format(secret))


@pytest.mark.parametrize(("kind", "secret"), CASES)
def test_one_letter_more_before_or_behind_is_another_thing(kind, secret):
    assert kind not in {one for one, _ in found("Z" + secret)}


def test_a_private_key_is_found_from_marker_to_marker():
    body = "\n".join(drawn(64, ALPHABET + "+/", seed) for seed in range(25))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert found(f"here:\n{key}\nthanks") == [("PRIVATE_KEY", key)]
    escaped = key.replace("\n", "\\n")
    assert found(f'{{"private_key": "{escaped}"}}') == [("PRIVATE_KEY", escaped)]


def test_two_private_keys_in_a_line_are_two():
    assert found(f"{PEM} {PEM}") == [("PRIVATE_KEY", PEM), ("PRIVATE_KEY", PEM)]
    assert DETECTOR.unsettled("see -----BEGIN PRIVATE KEY---") == len("see ")


def test_a_private_key_cut_short_is_found_as_far_as_it_goes():
    cut = "-----BEGIN PRIVATE KEY-----\n" + drawn(300)
    assert found(cut) == [("PRIVATE_KEY", cut)]
    assert found("-----BEGIN PRIVATE KEY----- is how it starts.") == []


def test_values_told_by_what_they_are_assigned_to():
    assert found('SNYK_TOKEN = "6fa459ea-ee8a-3ca4-894e-db77e160355e"') == [
        ("SNYK_KEY", "6fa459ea-ee8a-3ca4-894e-db77e160355e")
    ]
    assert found("request 6fa459ea-ee8a-3ca4-894e-db77e160355e failed") == []
    assert found("db_password: s3cr3t!Horse") == [("PASSWORD", "s3cr3t!Horse")]
    assert found("postgres://app:h8Tz-q1@db.internal/x") == [("CONNECTION_STRING", "h8Tz-q1")]


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "x" * 36,
        "aws_access_key: AKIAIOSFODNN7EXAMPLE",
        'password = os.environ["DB_PASSWORD"]',
        "api_key: ${{ secrets.API_KEY }}",
        "token = get_token()",
        "Set OPENAI_API_KEY=sk-... before you start",
        "commit faba173ca90d9c6e29f190a3222e5b29326f542c",
        "image@sha256:52bf63d4f62f02498a7844d0fa525133990d14520b26c7dba7bc0781babe7d56",
        "postgres://user:password@localhost/db",
        "forgot your password? click here",
        "The token limit is 8192 tokens and the keyword is banana.",
    ],
)
def test_what_only_looks_like_a_secret_is_passed(text):
    assert found(text) == []


def test_findings_hold_no_secret():
    secret = CASES[1][1]
    assert secret not in repr(DETECTOR.find(Piece(f"use {secret} now")))


@settings(max_examples=60, deadline=None)
@given(st.text(), st.sampled_from([secret for _, secret in CASES] + [""]), st.text())
def test_no_text_makes_it_raise_and_places_are_within(before, secret, behind):
    text = f"{before} {secret} {behind}"
    spans = [(one.start, one.end) for one in DETECTOR.find(Piece(text))]
    assert all(0 <= start < end <= len(text) and end - start <= SPAN for start, end in spans)
    assert spans == sorted(spans)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([secret for _, secret in CASES]),
            st.sampled_from(
                ["password: aB3$x9Lq", "-----BEGIN PRIVATE KEY-----\n", drawn(70), "token=", '"', " ", "\n"]
            ),
            st.text(alphabet="ab1-_. \n\"'", max_size=12),
        ),
        max_size=8,
    ).map("".join),
    st.data(),
)
def test_what_is_settled_does_not_change_by_what_follows(text, data):
    cut = data.draw(st.integers(0, len(text)))
    settled = DETECTOR.unsettled(text[:cut])
    assert 0 <= settled <= cut
    early = [one for one in DETECTOR.find(Piece(text[:cut])) if one.start < settled]
    assert early == [one for one in DETECTOR.find(Piece(text)) if one.start < settled]


def test_prose_is_not_held_back():
    assert DETECTOR.unsettled("The answer is forty two ") == len("The answer is forty two ")
    assert DETECTOR.unsettled("日本語の文章は続く") == len("日本語の文章は続く")


def test_entropy_and_blanks():
    assert bits("aaaa") == 0
    assert bits("abcd") == 2
    assert stands_in("your_key_here")
    assert not stands_in(drawn(30))


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared")
def test_the_development_set_keeps_its_figures():
    rows = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    positive = [one for one in rows if one["label"] and one.get("category") not in ("generic", "curl")]
    negative = [one for one in rows if not one["label"]]
    recall = sum(bool(DETECTOR.find(Piece(one["text"]))) for one in positive) / len(positive)
    alarms = sum(bool(DETECTOR.find(Piece(one["text"]))) for one in negative) / len(negative)
    assert recall >= 0.95
    assert alarms <= 0.03


GUARD = compile_profile(Profile(name="t", rules=(Rule(detector="secrets", action="redact"),)), {"secrets": DETECTOR})
PEM = (
    "-----BEGIN PRIVATE KEY-----\n" + "\n".join(drawn(64, seed=one) for one in range(4)) + "\n-----END PRIVATE KEY-----"
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([*(secret for _, secret in CASES), PEM, "password: aB3$x9Lq "]), st.text(max_size=30)
        ),
        max_size=5,
    ).map(" ".join),
    st.lists(st.integers(1, 90), min_size=1, max_size=12),
)
def test_a_stream_is_redacted_like_the_whole(text, sizes):
    whole = Scanner(GUARD, "assistant")
    expected = whole.whole(text)
    scanner = Scanner(GUARD, "assistant")
    out, at, turn = "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        out += scanner.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    out += scanner.end()
    assert out == expected
    assert scanner.findings == whole.findings
    assert not any(secret in out for _, secret in CASES if f" {secret} " in f" {text} ")
