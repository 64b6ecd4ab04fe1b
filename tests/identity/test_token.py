"""An ID token holds only as it was signed: no change of a single character passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from freehold.identity.errors import BadIdToken
from freehold.identity.oidc.token import ALGORITHMS, Expected, claims_of

KEY = ECKey.generate_key("P-256", {"kid": "k"})
KEYS = [KEY.as_dict(private=False)]
NOW = 1_800_000_000.0
CLAIMS = {"iss": "https://id.example", "aud": "c", "sub": "s", "nonce": "n", "iat": int(NOW), "exp": int(NOW) + 300}
EXPECTED = Expected("https://id.example", "c", "n", 60.0)
TOKEN = jwt.encode({"alg": "ES256", "kid": "k"}, CLAIMS, KEY)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def test_the_token_as_it_was_signed_holds():
    assert claims_of(TOKEN, KEYS, EXPECTED, NOW)["sub"] == "s"


@given(at=st.integers(0, len(TOKEN) - 1), other=st.sampled_from(ALPHABET))
def test_no_changed_character_passes(at, other):
    changed = TOKEN[:at] + other + TOKEN[at + 1 :]
    if changed == TOKEN:
        return
    try:
        found = claims_of(changed, KEYS, EXPECTED, NOW)
    except BadIdToken:
        return
    # base64 leaves bits unused at the end of a part: the same bytes may be spelled in another way, and no others
    assert found == CLAIMS and at in (len(TOKEN) - 1, TOKEN.index(".") - 1, TOKEN.rindex(".") - 1)


@given(text=st.text(max_size=80))
def test_any_text_is_refused_and_nothing_else_happens(text):
    with pytest.raises(BadIdToken):
        claims_of(text, KEYS, EXPECTED, NOW)


@pytest.mark.parametrize(("at", "holds"), [(-61, False), (-59, True), (359, True), (360, False)])
def test_it_holds_in_its_time_and_the_skew_around_it(at, holds):
    if holds:
        assert claims_of(TOKEN, KEYS, EXPECTED, NOW + at)
    else:
        with pytest.raises(BadIdToken):
            claims_of(TOKEN, KEYS, EXPECTED, NOW + at)


def test_a_token_without_end_is_refused_however_well_signed():
    long = jwt.encode({"alg": "ES256", "kid": "k"}, {**CLAIMS, "more": "x" * 40000}, KEY)
    with pytest.raises(BadIdToken):
        claims_of(long, KEYS, EXPECTED, NOW)


def test_no_algorithm_takes_a_shared_secret():
    assert {kind for _, kind in ALGORITHMS} == {"EC", "OKP", "RSA"}


@pytest.mark.parametrize("name", [name for name, _ in ALGORITHMS])
def test_every_algorithm_of_the_table_is_verified(name):
    from joserfc.jwk import OKPKey, RSAKey

    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    if name in curves:
        key = ECKey.generate_key(curves[name], {"kid": "x"})
    else:
        key = (
            OKPKey.generate_key("Ed25519", {"kid": "x"})
            if name == "Ed25519"
            else RSAKey.generate_key(2048, {"kid": "x"})
        )
    token = jwt.encode({"alg": name, "kid": "x"}, CLAIMS, key, algorithms=[name])
    assert claims_of(token, [key.as_dict(private=False)], EXPECTED, NOW)["sub"] == "s"
    with pytest.raises(BadIdToken):
        claims_of(token, [{**key.as_dict(private=False), "alg": "HS256"}], EXPECTED, NOW)
