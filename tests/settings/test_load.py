"""One file, strictly read: every problem at once, each with its line and its fix."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.settings.errors import MissingConfig
from freehold.settings.load import load, parse
from freehold.settings.problems import InvalidConfig
from freehold.settings.show import shown

FILE = Path("/etc/freehold/freehold.toml")
VENDOR = '[providers.v]\nbase_url = "https://v.example/v1"\n'


def problems(text, variables=None):
    with pytest.raises(InvalidConfig) as caught:
        parse(text.encode(), FILE, variables or {})
    return caught.value.problems


def settings(text, variables=None):
    return parse(text.encode(), FILE, variables or {}).settings


def test_no_file_means_the_defaults():
    found = parse(b"", None, {})
    assert found.settings.gateway.port == 8700
    assert found.home == Path.cwd() / ".freehold"


def test_all_problems_come_at_once_in_the_order_of_the_file():
    found = problems(
        '[gateway]\nprot = 1\nprocesses = 0\n[admin]\nport = "x"\n[targets.t]\nprovider = "nobody"\n[routes.r]\ntargets = ["t", "u"]\n'
    )
    assert [(one.code, one.where) for one in found] == [
        ("FH-CFG-012", "freehold.toml:2"),
        ("FH-CFG-013", "freehold.toml:3"),
        ("FH-CFG-013", "freehold.toml:5"),
        ("FH-CFG-015", "freehold.toml:7"),
        ("FH-CFG-015", "freehold.toml:9"),
    ]


def test_an_unknown_key_is_told_with_its_nearest_right_spelling():
    (one,) = problems("[gateway]\nprocesess = 2\n")
    assert str(one) == (
        'error[FH-CFG-012] unknown key "procesess" in [gateway]\n'
        '  freehold.toml:2   did you mean "processes"?\n'
        "  fix   rename it, then: freehold config check"
    )


def test_an_unknown_table_is_told():
    (one,) = problems("[gatway]\nport = 1\n")
    assert one.message == "unknown table [gatway]"
    assert one.remark == 'did you mean "gateway"?'


def test_an_unknown_key_deep_in_a_named_table_is_told():
    (one,) = problems(
        VENDOR + '[targets.t]\nprovider = "v"\nprice = { input = 1, output = 2, as_of = 2026-01-01, cashed = 1 }\n'
    )
    assert (one.code, one.where, one.remark) == ("FH-CFG-012", "freehold.toml:5", 'did you mean "cached"?')


def test_a_missing_key_is_told_once():
    (one,) = problems("[[budgets]]\nlimit = 5\n")
    assert (one.code, one.message) == ("FH-CFG-014", '[[budgets]] lacks "owner"')


def test_what_is_bad_does_not_hide_what_it_named():
    found = problems(VENDOR + 'api_key = "sk-plain"\n[targets.t]\nprovider = "v"\n')
    assert [one.code for one in found] == ["FH-CFG-018"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[gateway]\nport = "x"\n', "should be a whole number, without quotes"),
        ('[gateway]\nhosts = "localhost"\n', "should be a list"),
        ('[policy]\nair_gapped = "yes"\n', "should be true or false, without quotes"),
        ("gateway = 3\n", "should be a table"),
    ],
)
def test_a_wrong_kind_is_told_in_the_words_of_toml(text, told):
    (problem,) = problems(text)
    assert told in problem.message


def test_a_missing_key_is_told_with_its_meaning():
    (problem,) = problems("[targets.t]\n")
    assert '"provider": Name of a [providers] table' in problem.fix


def test_text_that_ends_too_early_is_told_as_that():
    (problem,) = problems("x = [\n")
    assert problem.remark == "at the end of the file"


def test_text_that_is_no_toml_is_told_with_its_line():
    (one,) = problems("[gateway]\nport 8700\n")
    assert (one.code, one.where) == ("FH-CFG-011", "freehold.toml:2")


def test_a_file_that_is_no_text_is_told():
    with pytest.raises(InvalidConfig) as caught:
        parse(b"\xff\xfe", FILE, {})
    assert caught.value.problems[0].code == "FH-CFG-011"


@pytest.mark.parametrize(
    "url",
    [
        "http://vendor.example/v1",
        "http://10.0.0.1/v1",
        "ftp://vendor.example",
        "https://user:pass@vendor.example/v1",
        "https://vendor.example/v1?x=1",
        "https://vendor.example/v1?api-version=1&key=secret",
        "https://vendor.example/../admin",
        "https://vendor.example:99999/v1",
        "https:///v1",
    ],
)
def test_unsafe_addresses_are_refused(url):
    (one,) = problems(f'[providers.v]\nbase_url = "{url}"\n')
    assert (one.code, one.where) == ("FH-CFG-017", "freehold.toml:2")


@pytest.mark.parametrize(
    "url", ["https://v.example/v1", "http://127.0.0.1:9/v1", "http://localhost/v1", "http://[::1]:9"]
)
def test_safe_addresses_are_taken(url):
    assert settings(f'[providers.v]\nbase_url = "{url}"\n').providers["v"].base_url == url


def test_a_secret_in_plain_text_is_refused_and_not_repeated():
    (one,) = problems(VENDOR + 'api_key = "sk-very-secret"\n')
    assert one.code == "FH-CFG-018"
    assert "sk-very-secret" not in str(one)


@pytest.mark.parametrize(
    "line", ['region = "${env:REGION}"', 'dialects = ["${env:D}"]', 'headers = { x = "${env:H}" }']
)
def test_interpolation_stands_in_secrets_only(line):
    (one,) = problems(VENDOR + line)
    assert (one.code, one.where) == ("FH-CFG-016", "freehold.toml:3")


def test_files_are_found_beside_the_configuration():
    found = settings(VENDOR + 'api_key = "${file:keys/v}"\ntls_ca = "ca.pem"\n').providers["v"]
    assert found.api_key == "${file:/etc/freehold/keys/v}"
    assert found.tls_ca == "/etc/freehold/ca.pem"


def test_money_keeps_every_digit():
    found = settings("[[budgets]]\nowner = 'team/a'\nlimit = 0.10000000000000000001\n")
    assert str(found.budgets[0].limit) == "0.10000000000000000001"


def test_a_variable_overrides_the_file_and_is_named_in_problems():
    assert settings("[gateway]\nport = 1\n", {("gateway", "port"): 2}).gateway.port == 2
    (one,) = problems("[gateway]\nport = 1\n", {("gateway", "port"): "x"})
    assert one.where == "FREEHOLD__GATEWAY__PORT"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[routes.r]\ntargets = ["owned-chat"]\naliases = ["owned-embed"]\n', "FH-CFG-013"),
        ('[routes.r]\ntargets = [{ target = "owned-chat", weight = 0 }]\n', "FH-CFG-013"),
        ('[routes.r]\ntargets = ["owned-chat", { target = "owned-embed" }]\n', "FH-CFG-013"),
        ('[routes.r]\ntargets = [{ target = "owned-chat", weight = inf }]\n', "FH-CFG-013"),
        ("[routes.r]\ntargets = []\n", "FH-CFG-013"),
        ('[routes.r]\ntargets = ["owned-chat"]\nbaseline = "gpt"\n', "FH-CFG-015"),
        ('[routes.r]\ntargets = ["owned-chat"]\nlabel = "secretish"\n', "FH-CFG-013"),
        ('[serving]\nenabled = false\n[routes.r]\ntargets = ["owned-chat"]\n', "FH-CFG-015"),
        ('[providers.v]\nvendor = "opnai"\n', "FH-CFG-013"),
        ('[providers.v]\nbase_url = "https://v.example"\ndriver = "opnai"\n', "FH-CFG-015"),
        ('[providers.v]\nbase_url = "https://v.example"\ndialects = ["morse"]\n', "FH-CFG-015"),
        ("[providers.v]\nregion = 'EU'\n", "FH-CFG-014"),
        ('[[budgets]]\nowner = "route/nowhere"\nlimit = 1\n', "FH-CFG-015"),
        ('[teams.a]\nbudget = 5\n[[budgets]]\nowner = "team/a"\nlimit = 1\n', "FH-CFG-013"),
        ('[gateway]\ntls_key = "k.pem"\n', "FH-CFG-014"),
        ("[gateway]\nport = 8701\n", "FH-CFG-013"),
        ('[admin]\nhost = "0.0.0.0"\n', "FH-CFG-013"),
    ],
)
def test_what_does_not_hold_together_is_refused(text, code):
    assert [one.code for one in problems(text)] == [code]


def test_a_named_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(MissingConfig) as caught:
        load(str(tmp_path / "nowhere.toml"))
    assert caught.value.code == "FH-CFG-010"


def test_origins_say_where_each_setting_was_set():
    text = '[gateway]\nport = 1\n[routes.r]\ntargets = ["owned-chat"]\nbudget = 5\n'
    found = {one.name: one.origin for one in shown(parse(text.encode(), FILE, {("admin", "port"): 5}))}
    assert found["gateway.port"] == "freehold.toml:2"
    assert found["gateway.host"] == "default"
    assert found["admin.port"] == "FREEHOLD__ADMIN__PORT"
    assert found["routes.r.targets"] == "freehold.toml:4"
    assert found["routes.r.budget.limit"] == "freehold.toml:5"
    assert found["routes.r.sticky"] == "default"


VALID = (
    VENDOR
    + """\
api_key = "${env:K}"
[targets.t]
provider = "v"
price = { input = 1, output = 2, as_of = 2026-01-01 }
[routes.r]
targets = [["t", { target = "owned-chat", weight = 2 }]]
budget = 5
[[budgets]]
owner = "team/a"
limit = "1.5"
"""
)


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_told_problems(data):
    with contextlib.suppress(InvalidConfig):
        parse(data, FILE, {})


@given(st.data())
def test_a_valid_file_with_a_piece_replaced_is_settings_or_told_problems(data):
    start = data.draw(st.integers(0, len(VALID)))
    end = data.draw(st.integers(start, min(len(VALID), start + 12)))
    piece = data.draw(
        st.sampled_from(["", "x", "1", "[", "]", '"', "{", "}", "=", "true", "[[a]]", "\n", "-1", "1e400", "nan"])
    )
    try:
        parse((VALID[:start] + piece + VALID[end:]).encode(), FILE, {})
    except InvalidConfig as error:
        told = [(one.message, one.where) for one in error.problems]
    else:
        told = [("fine", "fine")]
    assert all(message and where for message, where in told)
