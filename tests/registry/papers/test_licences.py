"""Deciding on licences: what is unknown goes to a person, and the strictest along the way counts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.registry.gate.types import VERDICTS
from freehold.registry.papers.licences import Licensee, Policy, Recognised, Use, decide, strictest
from freehold.registry.papers.recognise import spelt
from freehold.registry.papers.terms import known, known_as, named
from freehold.registry.papers.types import Licence

GERMAN = Licensee(country="DE", monthly_users=10_000, revenue_usd=100_000)
BUSINESS = Use(commercial=True, trains_on_outputs=False, redistributes=False)
SEED = Path("../shared/data/licences/model_licences.csv")


def decided(licence, /, licensee=GERMAN, use=BUSINESS, policy=None, **more):
    expression = named()[licence.lower()].ref if licence.lower() in named() else licence
    return decide(Recognised(expression=expression, source="card", **more), licensee, use, policy or Policy())


@pytest.mark.parametrize(
    ("licence", "licensee", "use", "verdict", "why"),
    [
        ("apache-2.0", Licensee(), Use(), "allow", ""),
        ("mit", Licensee(), Use(), "allow", ""),
        ("NOASSERTION", GERMAN, BUSINESS, "review", "nobody says"),
        ("LicenseRef-never-heard-of", GERMAN, BUSINESS, "review", "no row"),
        ("((", GERMAN, BUSINESS, "review", "no licence expression"),
        ("", GERMAN, BUSINESS, "review", "no licence expression"),
        ("+ OR MIT", GERMAN, BUSINESS, "review", "no licence expression"),
        ("MIT MIT OR MIT", GERMAN, BUSINESS, "review", "no licence expression"),
        ("llama3.1", GERMAN, BUSINESS, "allow", ""),
        ("llama3.1", Licensee(country="DE"), BUSINESS, "review", "how many"),
        ("llama3.1", Licensee(country="DE", monthly_users=700_000_000), BUSINESS, "allow", ""),
        ("llama3.1", Licensee(country="DE", monthly_users=700_000_001), BUSINESS, "block", "agreement"),
        ("llama4", GERMAN, BUSINESS, "block", "licensees in EU"),
        ("llama4", Licensee(country="US", monthly_users=5), BUSINESS, "allow", ""),
        ("llama4", Licensee(monthly_users=5), BUSINESS, "review", "where is your seat"),
        ("hunyuan-community", Licensee(country="GB", monthly_users=5), BUSINESS, "block", "licensees in"),
        ("cc-by-nc-4.0", GERMAN, BUSINESS, "block", "not for commerce"),
        ("cc-by-nc-4.0", GERMAN, Use(), "review", "not for commerce"),
        ("cc-by-nc-4.0", GERMAN, Use(commercial=False), "allow", ""),
        ("mrl", GERMAN, BUSINESS, "block", "not for commerce"),
        ("llama2", GERMAN, Use(commercial=True, trains_on_outputs=True), "block", "must not train"),
        ("llama2", GERMAN, Use(commercial=True), "review", "do they"),
        ("exaone", GERMAN, Use(commercial=False, trains_on_outputs=True), "block", "must not train"),
        ("stabilityai-community", Licensee(revenue_usd=2_000_000), BUSINESS, "block", "US dollars a year"),
        ("jamba-open-model", Licensee(), BUSINESS, "review", "US dollars a year"),
        ("cc-by-nd-4.0", GERMAN, Use(redistributes=True), "allow", ""),
    ],
)
def test_what_a_licence_asks_is_held_against_the_facts(licence, licensee, use, verdict, why):
    found = decided(licence, licensee, use)
    assert found.verdict == verdict
    assert why in " ".join(found.reasons)
    assert bool(found.reasons) == (verdict != "allow")


def test_an_eu_exclusion_of_multimodal_models_asks_whether_this_is_one():
    assert decided("llama3.2", multimodal=False).verdict == "allow"
    assert decided("llama3.2", multimodal=None).verdict == "review"
    assert decided("llama3.2", multimodal=True).verdict == "block"
    assert decided("llama3.2", Licensee(country="US", monthly_users=1), multimodal=True).verdict == "allow"


def test_an_agreement_of_ones_own_stands_in_place_of_limits_but_not_of_what_answers_may_train():
    above = Licensee(country="FR", monthly_users=2_000_000_000)
    assert decided("llama4", above, policy=Policy(agreements=("llama4",))).verdict == "allow"
    assert decided("jamba-open-model", Licensee(), policy=Policy(agreements=("jamba-open-model",))).verdict == "allow"
    trains = Use(commercial=True, trains_on_outputs=True)
    assert decided("llama2", above, trains, policy=Policy(agreements=("llama2",))).verdict == "block"


def test_the_owner_refuses_and_asks_by_name_and_kind():
    assert decided("apache-2.0", policy=Policy(refused=("Apache-2.0",))).verdict == "block"
    assert decided("gpl-3.0", policy=Policy(refused=("copyleft",))).verdict == "block"
    assert decided("gemma", policy=Policy(asked=("community",))).verdict == "review"
    assert decided("LicenseRef-x", policy=Policy(refused=("licenseref-X",))).verdict == "block"
    assert decided("LicenseRef-x", policy=Policy(unknown="block")).verdict == "block"


def test_a_row_that_is_not_certain_goes_to_a_person_until_the_text_was_read():
    assert decided("deepseek").verdict == "review"
    assert decided("deepseek", policy=Policy(read=("deepseek",))).verdict == "allow"


def test_of_or_the_mildest_counts_and_of_and_the_hardest():
    assert decided("MIT OR CC-BY-NC-4.0").verdict == "allow"
    assert decided("MIT AND CC-BY-NC-4.0").verdict == "block"
    assert decided("(MIT OR LicenseRef-x) AND Apache-2.0").verdict == "allow"
    assert decided("GPL-2.0-or-later WITH Classpath-exception-2.0").verdict == "allow"
    assert decided("Apache-2.0 WITH Commons-Clause").verdict == "review"
    assert decided(spelt("Apache-2.0 WITH Commons-Clause")).verdict == "review"


def test_duties_are_told_with_the_licence_they_come_from():
    duties = decided("llama3.1", use=Use(commercial=True, redistributes=True)).duties
    assert any("Built with Llama" in one for one in duties)
    assert any("name begins with Llama" in one for one in duties)
    assert not any("passed on:" in one for one in decided("llama3.1").duties)


def test_a_duty_above_a_limit_holds_for_who_does_not_say_how_large_they_are():
    small = Licensee(monthly_users=1, revenue_usd=1)
    shown = "show 'Kimi K2'"
    read = Policy(read=("modified-mit-kimi",))
    assert not any(shown in one for one in decided("modified-mit-kimi", small, policy=read).duties)
    assert any(shown in one for one in decided("modified-mit-kimi", Licensee(), policy=read).duties)
    assert decided("modified-mit-kimi", Licensee(), policy=read).verdict == "allow"


def test_what_is_made_of_a_model_and_passed_on_bears_its_name():
    use = Use(commercial=True, trains_on_outputs=False, redistributes=True)
    assert decided("llama3.1", use=use, name="Llama-3.1-Ours", bases=("llama",)).verdict == "allow"
    assert decided("llama3.1", use=use, name="ours", bases=("llama",)).verdict == "review"
    assert decided("llama3.1", use=use, name="ours").verdict == "allow"
    assert decided("cc-by-nd-4.0", use=use, bases=("x",)).verdict == "block"


def test_places_that_differ_go_to_a_person():
    found = decided("MIT AND Apache-2.0", disagree=True, said=("card: MIT", "LICENSE: Apache-2.0"))
    assert found.verdict == "review"
    assert "card: MIT; LICENSE: Apache-2.0" in " ".join(found.reasons)


def test_a_family_line_is_as_strict_as_its_strictest():
    own = decided("mit")
    base = decided("llama4")
    found = strictest((own, base))
    assert found.verdict == "block"
    assert found.expression == f"MIT AND {base.expression}"
    assert {*base.duties} <= {*found.duties}
    assert strictest((own,)) == own
    assert strictest((found, base, own)).expression == found.expression
    either = decided("MIT OR ISC")
    assert strictest((either, base)).expression == f"(MIT OR ISC) AND {base.expression}"
    assert decided(strictest((either, base)).expression).verdict == "block"


verdicts = st.sampled_from(VERDICTS)
words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple)
licences = st.builds(
    Licence, st.sampled_from(["MIT", "Apache-2.0", "MIT OR ISC"]), verdicts, st.just("card"), words, words
)


@given(st.lists(licences, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_along_a_line(line):
    found = strictest(line)
    assert found.verdict == max((one.verdict for one in line), key=VERDICTS.index)
    assert {*found.duties} == {duty for one in line for duty in one.duties}
    assert {*found.reasons} == {why for one in line for why in one.reasons}


facts = st.builds(
    Licensee,
    country=st.sampled_from(["", "DE", "US", "GB"]),
    monthly_users=st.none() | st.integers(0, 10**10),
    revenue_usd=st.none() | st.integers(0, 10**10),
)
tristate = st.sampled_from([None, True, False])
uses = st.builds(Use, commercial=tristate, trains_on_outputs=tristate, redistributes=tristate)


@given(st.sampled_from(known()), facts, uses)
@settings(max_examples=150, deadline=None)
def test_saying_less_never_makes_a_block_of_what_was_none_nor_an_allow_of_what_was_not(terms, licensee, use):
    told = decided(terms.id, licensee, use).verdict
    unsaid = decided(terms.id, Licensee(), Use()).verdict
    assert (unsaid == "allow") <= (told == "allow")
    assert unsaid != "block"


def test_rows_have_names_of_their_own_source_and_date():
    names = [name.lower() for one in known() for name in {one.id, one.ref, *one.aliases}]
    assert len({*names}) >= len(known())
    assert all(one.source and one.as_of for one in known())
    for one in known():
        assert named()[one.id] == one


def test_every_licence_of_the_common_table_is_known_alike():
    if not SEED.is_file():
        pytest.skip(f"{SEED} is not here")
    for row in csv.DictReader(SEED.read_text().splitlines()):
        if row["hub_id"] == "other":
            continue
        terms = named()[row["hub_id"]]
        assert terms.ref == row["licence_ref"]
        assert (terms.commercial is False) == (row["commercial"] == "no")
        assert str(terms.users or "") == row["mau_limit"]
        assert bool(terms.revenue_usd) == bool(row["revenue_limit_usd"])
        assert bool(terms.excluded) == bool(row["territory_excluded"])
        assert terms.certainty == row["certainty"]


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("LicenseRef-owner", "LicenseRef-owner"),
        ("LicenseRef-scancode-llama-3.1-license-2024", "llama3.1"),
        ("MIT AND LicenseRef-scancode-gemma-tou-2024-04-01", "gemma"),
        ("MIT AND Apache-2.0", "MIT"),
        ("LicenseRef-llama3 AND LicenseRef-exaone", "LicenseRef-llama3 AND LicenseRef-exaone"),
        ("MIT AND LicenseRef-x", "MIT AND LicenseRef-x"),
        ("MIT OR LicenseRef-llama3", "MIT OR LicenseRef-llama3"),
        ("", ""),
    ],
)
def test_what_answers_may_be_used_for_is_asked_by_the_name_that_tables_of_terms_have(expression, name):
    assert known_as(expression) == name


odd = st.lists(
    st.sampled_from(["MIT", "AND", "OR", "WITH", "(", ")", "llama3.1", "+", "Classpath-exception-2.0", "NOASSERTION"]),
    max_size=9,
).map(" ".join)


@given(odd | st.text(max_size=40))
@settings(max_examples=250, deadline=None)
def test_whatever_is_written_is_decided_and_what_is_no_expression_is_never_allowed(text):
    found = decided(text)
    assert found.verdict in VERDICTS
    again = decided(spelt(text))
    assert found.verdict != "allow" or again.verdict == "allow" or "OR" in text


def test_an_endless_expression_is_none():
    assert decided("(" * 20_000 + "MIT" + ")" * 20_000).verdict == "review"


expressions = st.recursive(
    st.sampled_from(["MIT", "ISC", "LicenseRef-x", "CC-BY-NC-4.0"]),
    lambda inner: st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(lambda one: f"({''.join(one)})"),
    max_leaves=4,
).map(lambda one: one.removeprefix("(").removesuffix(")") if one.count("(") == 1 else one)


@given(st.lists(expressions, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_expression_of_a_line_comes_to_what_the_line_comes_to(line):
    found = strictest([decided(one) for one in line])
    assert decided(found.expression).verdict == found.verdict
