"""What the file says of policy: compiled to rules and rows, checked as a whole, and never replaced by what is broken."""

from __future__ import annotations

import pytest

from freehold.policy.types import Narrowing
from freehold.settings import compile as compiled
from freehold.settings.cedar_file import at_start
from freehold.settings.last_good import in_force, keep
from freehold.settings.load import load, parse
from freehold.settings.problems import InvalidConfig

TARGETS = """
[providers.v]
vendor = "openai"
api_key = "${env:V}"
[providers.house]
base_url = "http://127.0.0.1:9/v1"
owned = true
[targets.gpt]
provider = "v"
[targets.own]
provider = "house"
[composites.pair]
kind = "agreement"
members = ["own", "gpt"]
escalate = "gpt"
grader = "label"
[composites.home]
kind = "confidence"
members = ["own"]
escalate = "own"
[routes.mixed]
targets = ["gpt", "own"]
baseline = "gpt"
aliases = ["m"]
[routes.rented]
targets = ["gpt"]
aliases = ["r"]
[routes.both]
targets = ["pair", "home"]
"""
RULES = "permit(principal, action, resource);"


def settings(text):
    return parse(text.encode(), None, {}).settings


def problems(text):
    with pytest.raises(InvalidConfig) as caught:
        settings(text)
    return caught.value.problems


def test_rules_stand_under_the_names_people_find_them_by():
    text = '[policy]\nregions = ["EU"]\n[[policy.rules]]\nlabel = "restricted"\nowned = true\n[teams.hr]\nregions = ["DE"]\n'
    found = compiled.policy(
        settings(text + TARGETS.replace("[routes.rented]", '[routes.rented]\nregions = ["US"]')), ()
    ).rules
    assert [one.name for one in found] == [
        "[policy] regions", "[teams.hr] regions", "[routes.rented] regions", "[[policy.rules]] 1",
    ]  # fmt: skip
    assert found[1] == Narrowing(name="[teams.hr] regions", teams=("hr",), regions=("DE",))
    assert found[2].routes == ("rented",) and found[3].owned


def test_contracts_stand_beside_the_public_rows():
    text = (
        '[[policy.contracts]]\nparty = "openai-api"\nattribute = "zero_retention"\nvalue = "on"\n'
        'reason = "amendment 3"\nby = "J. Roe"\nsince = 2026-03-01\nuntil = 2027-02-28\n'
    )
    found = [one for one in compiled.policy(settings(text), ()).facts if one.certainty == "contract"]
    assert [one.cite() for one in found] == [
        "openai-api zero_retention = on (contract amendment 3, J. Roe, since 2026-03-01 until 2027-02-28)"
    ]
    assert len(compiled.policy(settings(""), ()).facts) > 40


def test_a_target_knows_its_offering():
    by_name = {one.name: one for one in compiled.routes(settings(TARGETS), ()).targets}
    assert (by_name["gpt"].offering, by_name["own"].offering) == ("openai-api", "")
    told = TARGETS.replace('vendor = "openai"', 'vendor = "openai"\noffering = "azure-openai"')
    assert {one.name: one.offering for one in compiled.routes(settings(told), ()).targets}["gpt"] == "azure-openai"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[[policy.rules]]\nneeds = ["bba"]\n', "bba"),
        ('[[policy.rules]]\nlabel = "secret"\n', "secret"),
        ('[[policy.rules]]\nregion = ["EU"]\n', "region"),
        ('[[policy.contracts]]\nparty = "x"\nattribute = "trains"\nvalue = "no"\nreason = "r"\nby = "b"\nsince = 2026-01-01\n', "trains"),
        ('[[policy.contracts]]\nparty = "x"\nattribute = "dpa"\nvalue = "signed"\nreason = "r"\nsince = 2026-01-01\n', "by"),
        ('[[policy.contracts]]\nparty = "openai"\nattribute = "dpa"\nvalue = "signed"\nreason = "r"\nby = "b"\nsince = 2026-01-01\n', "openai"),
        ('[[policy.rules]]\nroutes = ["nowhere"]\n', "nowhere"),
        ('[policy]\ncedar_text = "permit("\n', "rules"),
        ('[policy]\ncedar = "nowhere.cedar"\n', "nowhere.cedar"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text, why):
    (found,) = problems(text)
    assert why in found.message and found.where.startswith("freehold.toml:")


def test_an_air_gap_leaves_only_what_is_owned_and_leads_there():
    found = compiled.routes(settings("[policy]\nair_gapped = true\n[serving]\nenabled = false\n" + TARGETS), ())
    assert [one.name for one in found.targets] == ["own"]
    assert [(one.name, [[arm.target for arm in tier] for tier in one.tiers]) for one in found.routes] == [
        ("both", [["home"]]), ("mixed", [["own"]]),
    ]  # fmt: skip
    assert [one.name for one in found.composites] == ["home"]
    assert found.gone == ("r", "rented") and found.aliases == (("m", "mixed"),) and found.routes[1].baseline == ""


@pytest.fixture
def place(tmp_path):
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    file = tmp_path / "freehold.toml"
    file.write_text('[policy]\ncedar = "rules.cedar"\n')
    (tmp_path / "rules.cedar").write_text(RULES)
    return file, home, tmp_path / "rules.cedar"


def test_rules_are_read_beside_the_file(place):
    file, home, rules = place
    loaded, told = at_start(str(file), home)
    assert loaded.settings.policy.cedar == str(rules)
    assert loaded.settings.policy.cedar_text == RULES and told == "" and loaded.settings.policy.closed == ""


def test_broken_rules_at_the_first_start_keep_everything_at_home(place):
    file, home, rules = place
    rules.write_text("permit(")
    loaded, told = at_start(str(file), home)
    assert "cannot be read" in loaded.settings.policy.closed and "no rented target" in told
    keep(loaded)
    assert in_force(str(file), home).settings.policy.closed, "and every process of the instance sees it so"


def test_broken_rules_at_a_later_start_leave_those_that_were_in_force(place):
    file, home, rules = place
    keep(load(str(file), str(home)))
    rules.write_text("permit(principal, action, resource) when { resource.ownd };")
    loaded, told = at_start(str(file), home)
    assert loaded.settings.policy.cedar_text == RULES and loaded.settings.policy.closed == ""
    assert "last in force stay" in told and "ownd" in told


def test_other_problems_still_stop_a_start(place):
    file, home, rules = place
    rules.write_text("permit(")
    file.write_text('[policy]\ncedar = "rules.cedar"\nair_gaped = true\n')
    with pytest.raises(InvalidConfig):
        at_start(str(file), home)
