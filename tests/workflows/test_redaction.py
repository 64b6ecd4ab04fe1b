from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.workflows.redaction import found_in, redacted, redacted_all

# Joined from halves, so that no scanner takes this file for a leak.
SECRETS = {
    "anthropic": "sk-" + "ant-api03-abcDEF123456789_xyz-abcdefgh",
    "openai": "sk-" + "proj-Abc123def456Ghi789jkl012",
    "aws-key": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3kM5",
    "gitlab": "glpat-" + "abcDEF1234567890xyz_",
    "google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "huggingface": "hf_" + "abcdefghijklmnopqrstuvwxyz1234",
    "slack": "xoxb-" + "123456789012-abcdefGHIJKL",
    "stripe": "sk_" + "live_abcdefghijklmnop1234",
    "sendgrid": "SG." + "abcdefghijklmnop1234.abcdefghijklmnop1234",
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "bearer": "Bearer " + "abcdefghijklmnop1234567890",
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabc+/=\n-----END RSA PRIVATE KEY-----",
    "freehold": "fh-" + "abcdefghijklmnop1234567890",
    "credential": 'api_key="' + 'a8f5f167f44f4964e6c998dee827110c"',
    "password": "password: " + "hunter2!X9",
    "url-password": "postgres://shop:" + "s3cretpw@db.internal/x",
    "aws-secret": "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
BARE = {"bearer": 7, "credential": 9, "password": 10, "aws-secret": 24}


def secret_part(name):
    text = SECRETS[name][BARE.get(name, 0) :].rstrip('"')
    return "s3cretpw" if name == "url-password" else text


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("around", ["{}", "it is {}.", "x\n{}\ny", "\t{}", 'say "{}"', "key={}&b=1", "é{}", "\x07{}"])
@pytest.mark.parametrize("times", [1, 2, 3], ids=["json", "json-in-json", "json-in-json-in-json"])
def test_secrets_go_wherever_they_stand(name, around, times):
    data: object = {"content": around.format(SECRETS[name]), "after": "stays"}
    for _ in range(times):
        data = json.dumps(data, ensure_ascii=False)
    clean = redacted(str(data).encode())
    for line in secret_part(name).splitlines():
        assert line.encode() not in clean, clean
    back: object = clean.decode()
    for _ in range(times):
        back = json.loads(back)
    assert back["after"] == "stays" and "[secret:" in back["content"]


@pytest.mark.parametrize(
    "text",
    [
        "The task-force on risk-assessment met at the desk-bound office.",
        "Reset your password: open the settings and choose a new one.",
        "basic understanding of authorization: who may do what",
        "https://shop.example:8080/path?x=1 and mail@example.com",
        "tokens: 1234, api key rotation happens monthly",
        '{"api_key": {"type": "string", "description": "the key"}}',
        "eyJ is how it begins",
        "AKIA is a prefix",
        "SG.1 and hf_x and sk-12",
        "order 4111-1111 shipped 2025-09-01T10:00:00Z",
    ],
)
def test_plain_words_stay(text):
    assert redacted(text.encode()) == text.encode()
    assert redacted(json.dumps(text).encode()) == json.dumps(text).encode()


def test_what_was_taken_out_is_named_and_not_taken_twice():
    once = redacted(SECRETS["openai"].encode())
    assert once == b"[secret:openai]"
    assert redacted(once) == once
    assert found_in(once) == ()
    assert redacted(b'{"api_key": "' + SECRETS["openai"].encode() + b'"}') == b'{"api_key": "[secret:openai]"}'


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30), min_size=1, max_size=5
    )
)
def test_texts_together_are_as_texts_alone(texts):
    parts = [json.dumps(one, ensure_ascii=False).encode() for one in texts]
    assert redacted_all(parts) == [redacted(one) for one in parts]


@given(st.lists(st.sampled_from([*SECRETS.values(), "word", '"', "\\", "\n", "{", ":", " "]), max_size=8))
def test_json_stays_json_whatever_is_taken_out(pieces):
    data = json.dumps({"a": "".join(pieces), "b": 1}, ensure_ascii=False).encode()
    assert json.loads(redacted(data))["b"] == 1


@pytest.mark.parametrize(
    "seed", ["sk-", "-----BEGIN PRIVATE KEY-----", "://a:", "bearer ", "api_key=", "aws secret ", "eyJ", 'password":"']
)
def test_long_texts_of_marks_take_no_more_than_their_length(seed):
    """Finishes at all: with a pattern that looks back over the whole text for each mark it would not."""
    redacted((seed * (300_000 // len(seed))).encode())
