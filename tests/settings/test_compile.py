"""Settings as the data plane's snapshots."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from freehold.core.label import Label, Level
from freehold.core.permit import Origin
from freehold.gateway.dialects.registry import DIALECTS
from freehold.gateway.providers.registry import DRIVERS
from freehold.gateway.providers.vendors import VENDORS
from freehold.gateway.routing.table import compile_routes
from freehold.gateway.routing.types import CacheRule, HedgeRule
from freehold.ledger.meter import Price
from freehold.policy.targets import Target
from freehold.settings import compile as compiled
from freehold.settings.load import parse
from freehold.settings.problems import InvalidConfig

OWNED = tuple(
    Target(
        name=name,
        provider="embedded",
        driver="llama_cpp",
        dialects=("openai_chat",),
        model="m",
        origin=Origin("http", "127.0.0.1", 9),
        owned=True,
        clearance=Label(Level.UNKNOWN),
    )
    for name in ("owned-chat", "owned-embed")
)


def settings(text):
    return parse(text.encode(), None, {}).settings


def routes(text, **more):
    return compiled.routes(settings(text), OWNED, **more)


def route(text, name="r"):
    return next(one for one in routes(text).routes if one.name == name)


def target(text, name="t"):
    return next(one for one in routes(text).targets if one.name == name)


PROVIDER = '[providers.v]\nbase_url = "https://v.example:8443/api/v1/"\nregion = "eu"\nheaders = { b = "2", a = "1" }\n'
TARGETS = PROVIDER + '[targets.a]\nprovider = "v"\n[targets.b]\nprovider = "v"\n[targets.c]\nprovider = "v"\n'


def test_without_a_file_there_is_a_route_to_each_owned_model():
    found = routes("")
    assert [one.name for one in found.routes] == ["owned-chat", "owned-embed"]
    assert [one.name for one in found.targets] == ["owned-chat", "owned-embed"]


def test_switched_off_owned_models_have_neither_target_nor_route():
    found = routes("[serving]\nenabled = false\n")
    assert (found.routes, found.targets) == ((), ())


def test_names_alone_are_steps_in_order():
    assert [[arm.target for arm in step] for step in route(TARGETS + '[routes.r]\ntargets = ["b", "a"]\n').tiers] == [
        ["b"],
        ["a"],
    ]


def test_entries_with_weights_share_one_step():
    found = route(TARGETS + '[routes.r]\ntargets = [{ target = "a", weight = 3 }, { target = "b" }]\n').tiers
    assert [[(arm.target, arm.weight) for arm in step] for step in found] == [[("a", 3.0), ("b", 1.0)]]


def test_inner_lists_are_steps():
    found = route(TARGETS + '[routes.r]\ntargets = [["a", { target = "b", weight = 2 }], "c"]\n').tiers
    assert [[(arm.target, arm.weight) for arm in step] for step in found] == [[("a", 1.0), ("b", 2.0)], [("c", 1.0)]]


def test_a_target_takes_what_its_provider_says():
    found = target(PROVIDER + '[targets.t]\nprovider = "v"\nmodel = "m"\n')
    assert (str(found.origin), found.path, found.model, found.region) == (
        "https://v.example:8443",
        "/api/v1",
        "m",
        "eu",
    )
    assert found.headers == (("a", "1"), ("b", "2"))


def test_rented_targets_take_no_more_than_internal_unless_told():
    assert str(target(PROVIDER + '[targets.t]\nprovider = "v"\n').clearance) == "internal"
    told = PROVIDER + '[targets.t]\nprovider = "v"\nclearance = "confidential:GDPR"\n'
    assert str(target(told).clearance) == "confidential:GDPR"


def test_owned_targets_take_everything_unless_told():
    found = target(PROVIDER + 'owned = true\n[targets.t]\nprovider = "v"\n')
    assert found.owned
    assert found.clearance == Label(Level.UNKNOWN)


def test_a_vendor_fills_in_what_is_left_out():
    found = target('[providers.v]\nvendor = "anthropic"\napi_key = "${env:K}"\n[targets.t]\nprovider = "v"\n')
    assert (found.driver, found.dialects[0], found.credential) == ("anthropic", "anthropic_messages", "${env:K}")


@pytest.mark.parametrize("vendor", [one.name for one in VENDORS])
def test_every_vendor_compiles_and_routes(vendor):
    row = next(one for one in VENDORS if one.name == vendor)
    base = "" if row.base_url else 'base_url = "https://own.example/v1/{model}?api-version=1"\n'
    text = f'[providers.v]\nvendor = "{vendor}"\n{base}[targets.t]\nprovider = "v"\n[routes.r]\ntargets = ["t"]\n'
    found = target(text)
    assert found.origin.scheme == ("http" if "owned = true" in row.note else "https")
    assert row.base_url or (found.path, found.query) == ("/v1/t", "?api-version=1")
    assert set(found.dialects) <= {one.name for one in DIALECTS}
    table = compile_routes(1, compiled.routes(settings(text), OWNED), {one.name: one for one in DRIVERS}, str, {}, 0.0)
    assert table.path("r").tiers[0][0].origin == found.origin


def test_a_price_in_the_file_wins_over_the_list():
    def listed(vendor, model):
        return Price(input=Decimal(7), source=f"{vendor} {model}", as_of="2026-01-01")

    text = '[providers.v]\nvendor = "openai"\n[targets.t]\nprovider = "v"\nmodel = "m"\n'
    found = next(one for one in routes(text, list_price=listed).targets if one.name == "t")
    assert (found.price.input, found.price.source) == (Decimal(7), "openai m")
    priced = text + "price = { input = 1.25, output = 10, as_of = 2026-02-03 }\n"
    found = next(one for one in routes(priced, list_price=listed).targets if one.name == "t")
    assert (found.price.input, found.price.as_of) == (Decimal("1.25"), "2026-02-03")


def test_an_embedded_model_costs_what_the_file_says_and_nothing_where_it_says_nothing():
    text = "[serving.prices.owned-chat]\ninput = 0.02\noutput = 0.08\nas_of = 2026-11-22\n"
    priced = {one.name: one.price for one in routes(text).targets}
    assert (priced["owned-chat"].input, priced["owned-chat"].output) == (Decimal("0.02"), Decimal("0.08"))
    assert priced["owned-chat"].source == "freehold.toml"
    assert priced["owned-embed"] == OWNED[1].price


def test_a_model_trained_here_costs_what_the_file_says_also_where_no_embedded_model_runs():
    trained = msgspec.structs.replace(OWNED[0], name="owned-tickets")
    text = "[serving]\nenabled = false\n[serving.trained_price]\ninput = 0.01\noutput = 0.02\nas_of = 2026-11-22\n"
    (found,) = compiled.routes(settings(text), (*OWNED, trained)).targets
    assert (found.name, found.price.input, found.price.output) == ("owned-tickets", Decimal("0.01"), Decimal("0.02"))


def test_a_target_of_the_file_goes_before_a_trained_model_of_its_name():
    trained = msgspec.structs.replace(OWNED[0], name="owned-tickets")
    text = PROVIDER + '[targets.owned-tickets]\nprovider = "v"\n'
    found = [one for one in compiled.routes(settings(text), (trained,)).targets if one.name == "owned-tickets"]
    assert [one.provider for one in found] == ["v"]


def test_a_price_for_an_embedded_model_that_is_not_there_is_told():
    with pytest.raises(InvalidConfig) as told:
        settings("[serving.prices.owned-caht]\ninput = 1\noutput = 1\nas_of = 2026-11-22\n")
    assert "owned-caht" in str(told.value)
    assert "owned-chat" in str(told.value)


def test_a_provider_that_is_no_known_vendor_has_no_list_price():
    text = PROVIDER + '[targets.t]\nprovider = "v"\n'
    found = next(one for one in routes(text, list_price=lambda *_: 1 / 0).targets if one.name == "t")
    assert found.price.source == "not set"


def test_capture_is_the_routes_own_word_else_the_general_one():
    both = '[capture]\nbodies = true\n[routes.r]\ntargets = ["owned-chat"]\n'
    assert route(both).capture
    assert not route(both + "capture = false\n").capture


def test_budgets_have_their_owners_name_and_a_second_one_its_period():
    text = (
        '[teams.a]\nbudget = 5\n[routes.r]\ntargets = ["owned-chat"]\nbudget = { limit = 2, period = "day" }\n'
        '[[budgets]]\nowner = "team/a"\nlimit = 1\nperiod = "hour"\n[[budgets]]\nowner = "key/k"\nlimit = "0.5"\n'
    )
    found = compiled.policy(settings(text), ()).budgets
    assert [(one.id, one.limit, one.period) for one in found] == [
        ("key/k", Decimal("0.5"), "month"),
        ("route/r", Decimal(2), "day"),
        ("team/a", Decimal(5), "month"),
        ("team/a/hour", Decimal(1), "hour"),
    ]
    assert route(text).budgets == ("route/r",)
    assert compiled.owned_by("team/a", found) == ("team/a", "team/a/hour")


def test_a_budget_of_a_team_is_not_one_of_a_team_with_a_longer_name():
    text = "[teams.a]\nbudget = 5\n[teams.'a/b']\nbudget = 6\n"
    found = compiled.policy(settings(text), ()).budgets
    assert compiled.owned_by("team/a", found) == ("team/a",)


def test_aliases_lead_to_their_route():
    assert routes('[routes.r]\ntargets = ["owned-chat"]\naliases = ["gpt-4o"]\n').aliases == (("gpt-4o", "r"),)


def test_the_same_settings_compile_to_the_same_bytes():
    import msgspec

    text = TARGETS + '[routes.r]\ntargets = ["b", "a"]\n'
    assert msgspec.msgpack.encode(routes(text)) == msgspec.msgpack.encode(routes(text))


PAIR = '[composites.pair]\nkind = "agreement"\nmembers = ["a", "b"]\nescalate = "c"\ngrader = "number"\n'


def test_a_composite_is_used_like_a_target():
    text = TARGETS + PAIR + 'options = { tolerance = 0.5 }\n[routes.r]\ntargets = ["pair", "c"]\n'
    (found,) = routes(text).composites
    assert (found.name, found.kind, found.members, found.escalate) == ("pair", "agreement", ("a", "b"), "c")
    assert found.grader.kind == "number" and found.grader.options == {"tolerance": 0.5}
    assert type(found.grader.options["tolerance"]) is float
    table = compile_routes(1, routes(text), {one.name: one for one in DRIVERS}, lambda _: "", {}, 0.0)
    assert [way.name for tier in table.path("r").tiers for way in tier] == ["pair", "c"] and not table.faults


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('"b"]', '"bb"]'), 'there is no target "bb"'),
        (('escalate = "c"', 'escalate = "pair"'), 'there is no target "pair"'),
        (('"a", "b"]', '"a"]'), "has 1 members"),
        (("[composites.pair]", "[composites.a]"), "is the name of a target"),
        (('"number"', '"numbr"'), 'did you mean "number"'),
        (('grader = "number"\n', ""), 'lacks "grader"'),
        (('"agreement"', '"agreements"'), "agreement"),
    ],
)
def test_a_composite_that_leads_nowhere_is_refused(change, told):
    with pytest.raises(InvalidConfig) as refused:
        settings(TARGETS + PAIR.replace(*change))
    assert told in str(refused.value)


def test_a_route_names_composites_that_exist():
    with pytest.raises(InvalidConfig, match="pairs"):
        settings(TARGETS + PAIR + '[routes.r]\ntargets = ["pairs"]\n')


def test_answers_are_under_the_terms_of_whoever_gives_them():
    told = """
[providers.openai]
vendor = "openai"
[providers.proxy]
base_url = "https://models.example/v1"
[providers.cloud]
base_url = "https://x.openai.azure.com/v1"
[providers.mine]
base_url = "http://127.0.0.1:9/v1"
owned = true
[targets.a]
provider = "openai"
[targets.b]
provider = "proxy"
model = "gpt-4o"
[targets.c]
provider = "proxy"
model = "house-blend"
[targets.d]
provider = "cloud"
[targets.e]
provider = "mine"
"""
    found = compiled.offerings(settings(told))
    assert found == {"a": "openai-api", "b": "openai-api", "c": "own:proxy", "d": "azure-openai"}


def test_what_a_route_keeps_hedges_and_waits_for_comes_from_the_file():
    more = 'cache = { seconds = 60, share = "key" }\nhedge = { most_dollars = 0.5 }\npriority = "normal"\n'
    text = TARGETS.replace("[targets.b]", 'most_in_flight = 3\nprompt_cache = "1h"\n[targets.b]')
    found = route(text + '[routes.r]\ntargets = ["a", "b"]\n' + more)
    assert (found.cache, found.priority) == (CacheRule(60.0, "key"), "normal")
    assert found.hedge == HedgeRule(None, Decimal("0.5"), 0.1)
    one, other = target(text, "a"), target(text, "b")
    assert (one.most_in_flight, one.prompt_cache, other.most_in_flight, other.prompt_cache) == (3, "1h", 0, "")
    assert route(TARGETS + '[routes.r]\ntargets = ["a"]').cache is None


def test_a_hedge_needs_a_second_target():
    with pytest.raises(InvalidConfig) as told:
        settings(TARGETS + '[routes.r]\ntargets = ["a"]\nhedge = { after_seconds = 1 }')
    assert "no second target" in str(told.value)


def test_a_server_that_is_compatible_with_openais_counts_as_speaking_no_more_than_that() -> None:
    text = b'[providers.x]\nbase_url = "https://llm.example.com/v1"\n[targets.t]\nprovider = "x"\n'
    (target,) = compiled.routes(parse(text, None, {}).settings, ()).targets
    assert target.dialects == ("openai_chat", "openai_embeddings")
