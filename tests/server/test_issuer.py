"""What an issuer, or who stands between, may send; none of it signs anybody in but the right token of this sign-in."""

from __future__ import annotations

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from freehold.core.db import reading
from freehold.ledger.audit import store as audit
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig
from tests.fakes.oidc import REDIRECT, Hostile, browse, shared_secret, signed_by, unsigned
from tests.server.signing import OIDC, adopt, begin, code, finish, sign_in

BAD_TOKEN = (401, "FH-KEY-011")
NO_SUCH_KEY = (401, "FH-KEY-012")
BAD_ISSUER = (503, "FH-AVA-020")


@pytest.fixture
def hostile():
    with Hostile().serving() as made:
        made.claims = {"groups": ["ai-owners"], "email": "eve@bank.example", "email_verified": True}
        yield made


@pytest.fixture
def nobody(instance, hostile, client_of, monkeypatch):
    monkeypatch.setenv("OIDC_SECRET", "not-a-secret")
    adopt(instance, hostile.issuer)
    return client_of(None)


def public(hostile):
    return hostile.key.as_pem(private=False)


def test_an_honest_token_signs_in(nobody):
    assert sign_in(nobody).json()["role"] == "owner"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": ["freehold", "another-client"]},
        {"aud": ["freehold", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"iat": time.time() - 3600},
        {"iat": time.time() + 3600},
        {"nbf": time.time() + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
    ],
)
def test_a_token_with_a_wrong_word_in_it_is_refused(nobody, hostile, claims):
    hostile.claims |= claims
    assert code(sign_in(nobody)) == BAD_TOKEN


@pytest.mark.parametrize("skew", [-50, 50])
def test_clocks_may_differ_a_little(nobody, hostile, skew):
    hostile.now = lambda: time.time() + skew
    assert sign_in(nobody).status_code == 200


def test_an_unsigned_token_is_refused(nobody, hostile):
    hostile.sign = unsigned
    assert code(sign_in(nobody)) == BAD_TOKEN


def test_the_issuers_public_key_is_no_shared_secret(nobody, hostile):
    hostile.sign = shared_secret(public(hostile))
    assert code(sign_in(nobody)) == BAD_TOKEN


def test_a_shared_secret_among_the_issuers_keys_is_not_taken(nobody, hostile):
    hostile.keys = [{"kty": "oct", "kid": "one", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}]
    hostile.sign = shared_secret(b"secret-secret-secret-secret")
    assert code(sign_in(nobody)) == BAD_TOKEN


def test_a_token_of_anothers_key_is_refused(nobody, hostile):
    forged = RSAKey.generate_key(2048, {"kid": "one"})
    hostile.sign = lambda header, claims: jwt.encode(header, claims, forged)
    assert code(sign_in(nobody)) == NO_SUCH_KEY


def test_a_key_that_comes_with_the_token_counts_for_nothing(nobody, hostile):
    forged = RSAKey.generate_key(2048, {"kid": "mine"})
    more = {"kid": "mine", "jwk": forged.as_dict(private=False), "jku": f"{hostile.issuer}/jwks"}
    hostile.sign = lambda header, claims: jwt.encode({**header, **more}, claims, forged)
    assert code(sign_in(nobody)) == NO_SUCH_KEY


def test_a_key_for_encryption_signs_nothing(nobody, hostile):
    hostile.keys = [{**hostile.keys[0], "use": "enc"}]
    assert code(sign_in(nobody)) == NO_SUCH_KEY


def test_a_short_key_is_refused(nobody, hostile):
    short = rsa.generate_private_key(65537, 1024)
    number = short.public_key().public_numbers().n.to_bytes(128, "big")
    hostile.keys = [
        {"kty": "RSA", "kid": "one", "e": "AQAB", "n": base64.urlsafe_b64encode(number).decode().strip("=")}
    ]
    hostile.sign = signed_by(short)
    assert code(sign_in(nobody)) == BAD_TOKEN


def test_changed_claims_are_refused(nobody, hostile):
    def swapped(header, claims):
        one = jwt.encode(header, claims, hostile.key).split(".")
        two = jwt.encode(header, {**claims, "sub": "the-owner"}, hostile.key).split(".")
        return ".".join([one[0], two[1], one[2]])

    hostile.sign = swapped
    assert code(sign_in(nobody)) == NO_SUCH_KEY


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"crit": ["exp"], "exp": 1}], ids=str)
def test_a_token_of_another_kind_is_refused(nobody, hostile, header):
    honest = signed_by(hostile.key.private_key)
    hostile.sign = lambda before, claims: honest({**before, **header}, claims)
    assert code(sign_in(nobody)) == BAD_TOKEN


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "e30.e30.", "x" * 40000, "ä.ö.ü"], ids=lambda one: one[:6])
def test_what_is_no_token_is_refused(nobody, hostile, token):
    hostile.sign = lambda header, claims: token
    assert code(sign_in(nobody)) == BAD_TOKEN


def test_elliptic_keys_sign_too(nobody, hostile):
    key = ECKey.generate_key("P-256", {"kid": "two"})
    hostile.keys.append(key.as_dict(private=False))
    hostile.sign = lambda header, claims: jwt.encode({"alg": "ES256", "kid": "two"}, claims, key)
    assert sign_in(nobody).status_code == 200


def test_a_new_key_is_asked_for_at_once_and_an_old_one_counts_no_more(nobody, hostile):
    assert sign_in(nobody).status_code == 200
    old, hostile.key = hostile.key, RSAKey.generate_key(2048, {"kid": "three"})
    hostile.keys, hostile.header = [hostile.key.as_dict(private=False)], {"kid": "three"}
    assert sign_in(nobody).status_code == 200
    hostile.sign = lambda header, claims: jwt.encode({**header, "kid": "one"}, claims, old)
    assert code(sign_in(nobody)) == NO_SUCH_KEY


def test_the_secret_goes_to_the_issuer_alone_and_pkce_holds(nobody, hostile):
    assert sign_in(nobody).status_code == 200
    (asked,) = [one for one in hostile.asked if one[1] == "/token"]
    assert {name.lower(): one for name, one in asked[3].items()}["authorization"].startswith("Basic ")
    assert b"code_verifier=" in asked[2] and b"not-a-secret" not in asked[2]


def test_a_code_that_was_planted_fails_at_the_issuer(nobody, hostile):
    theirs, mine = begin(nobody), begin(nobody)
    planted = browse(theirs["address"])
    told = finish(nobody, mine, {"state": mine["state"], "code": planted["code"]})
    assert code(told) == BAD_ISSUER and "invalid_grant" in told.json()["error"]["message"]


def test_a_browser_that_comes_back_from_another_issuer_is_refused(nobody, hostile):
    begun = begin(nobody)
    back = browse(begun["address"])
    assert code(finish(nobody, begun, back, iss="https://elsewhere.example")) == (401, "FH-KEY-010")


def test_an_issuer_that_says_it_names_itself_must(nobody, hostile):
    hostile.metadata = {"authorization_response_iss_parameter_supported": True}
    begun = begin(nobody)
    assert code(finish(nobody, begun, browse(begun["address"]))) == (401, "FH-KEY-010")
    begun = begin(nobody)
    assert finish(nobody, begun, browse(begun["address"]), iss=hostile.issuer).status_code == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": "http://127.0.0.1:1/token"},
        {"token_endpoint": "https://elsewhere.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user:pass@elsewhere.example/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
    ],
    ids=str,
)
def test_an_issuer_that_leads_elsewhere_is_not_followed(nobody, hostile, metadata):
    hostile.metadata = metadata
    told = nobody.post("/api/login", json={"redirect_uri": REDIRECT})
    if told.status_code == 201:
        told = finish(nobody, told.json(), browse(told.json()["address"]))
    assert code(told) == BAD_ISSUER


def test_another_origin_of_the_issuers_can_be_named(nobody, hostile, instance):
    with Hostile().serving() as tokens:
        tokens.answer = hostile.answer
        hostile.metadata = {"token_endpoint": f"{tokens.issuer}/token"}
        assert code(sign_in(nobody)) == BAD_ISSUER
        adopt(instance, hostile.issuer, oidc=f'origins = ["{tokens.issuer}"]')
        assert sign_in(nobody).status_code == 200


def test_an_issuer_that_is_away_is_told_of(nobody, hostile, instance):
    adopt(instance, "http://127.0.0.1:1")
    assert code(nobody.post("/api/login", json={"redirect_uri": REDIRECT})) == BAD_ISSUER


def test_an_issuer_that_failed_is_not_asked_again_at_once(nobody, hostile, instance):
    hostile.metadata = {"issuer": "https://elsewhere.example"}
    for _ in range(3):
        assert code(nobody.post("/api/login", json={"redirect_uri": REDIRECT})) == BAD_ISSUER
    assert len(hostile.asked) == 1
    hostile.metadata, now = {}, time.time()
    instance.clock = lambda: now + 6
    assert sign_in(nobody).status_code == 200


def test_a_refusal_is_written_down_without_the_token(nobody, hostile, instance):
    hostile.claims |= {"aud": "another-client"}
    sign_in(nobody)
    with reading(instance.engine) as connection:
        (entry,) = [one for one in audit.queued(connection, 50) if one[2] == "person.refuse"]
    assert json.loads(entry[4]) == {"why": "the token is for another client"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('issuer = "http://id.bank.example"', "FH-CFG-017"),
        ('issuer = "https://user@id.bank.example"', "FH-CFG-017"),
        ('client_secret = "plain"', "FH-CFG-018"),
        ('roles = { staff = "king" }', "FH-CFG-013"),
        ('groups_from = "scim"', "FH-CFG-014"),
        ('scopes = ["email"]', "FH-CFG-013"),
        ("clock_skew = 3600", "FH-CFG-013"),
    ],
)
def test_settings_that_would_let_the_wrong_people_in_are_refused(line, code):
    lines = {"issuer": 'issuer = "https://id.bank.example"', "client_id": 'client_id = "freehold"'}
    lines[line.split()[0]] = line
    with pytest.raises(InvalidConfig) as caught:
        parse(("[identity.oidc]\n" + "\n".join(lines.values())).encode(), None, {})
    assert [one.code for one in caught.value.problems] == [code]


def test_the_settings_of_these_tests_are_valid():
    assert parse(OIDC.format(issuer="https://id.bank.example", oidc="", identity="").encode(), None, {})


def test_files_of_the_identity_settings_lie_beside_the_file(tmp_path):
    text = OIDC.format(
        issuer="https://id.bank.example", oidc='tls_ca = "ca.pem"', identity='scim_token = "${file:scim}"'
    )
    text = text.replace("${env:OIDC_SECRET}", "${file:oidc.secret}")
    settings = parse(text.encode(), tmp_path / "freehold.toml", {}).settings.identity
    assert settings.oidc.tls_ca == str(tmp_path / "ca.pem")
    assert settings.oidc.client_secret == f"${{file:{tmp_path / 'oidc.secret'}}}"
    assert settings.scim_token == f"${{file:{tmp_path / 'scim'}}}"
