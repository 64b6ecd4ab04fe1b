from __future__ import annotations

import pytest

from freehold.core.label import parse_label
from freehold.guard.built_in import NAMES, built_in
from freehold.guard.detectors.registry import MAKERS
from freehold.guard.errors import BadPattern, BadProfile
from freehold.guard.profile import compile_profile
from freehold.guard.types import Custom, Profile, Rule
from freehold.settings import compile as compiled
from freehold.settings.load import load
from freehold.settings.problems import InvalidConfig

FILE = """
[policy]
guard = "protect"

[providers.p]
base_url = "http://127.0.0.1:9/v1"

[targets.t]
provider = "p"

[routes.a]
targets = ["t"]

[routes.b]
targets = ["t"]
guard = "bank"

[routes.c]
targets = ["t"]
guard = ""

[guard.bank]
like = "strict"
reroute_refusals = true
system = "Be brief."
custom = [{ name = "project", words = ["Falcon"] }]
rules = [
  { detector = "pii", kinds = ["IBAN"], action = "pseudonymise", directions = ["in"] },
  { detector = "custom", action = "raise", label = "restricted:MNPI" },
]

[guard.unused]
"""


def read(tmp_path, text):
    (tmp_path / "freehold.toml").write_text(text)
    return load(str(tmp_path / "freehold.toml"), str(tmp_path / "home")).settings


def problems(tmp_path, text):
    with pytest.raises(InvalidConfig) as caught:
        read(tmp_path, text)
    return [(one.code, one.message, one.where.rpartition("/")[2], one.fix) for one in caught.value.problems]


def test_routes_get_their_profile_and_the_snapshot_those_in_use(tmp_path):
    settings = read(tmp_path, FILE)
    routes = compiled.routes(settings, ())
    named = {one.name: one.guard for one in routes.routes}
    assert (named["a"], named["b"], named["c"], routes.guard) == ("protect", "bank", "", "protect")
    policy = compiled.policy(settings, ())
    assert [one.name for one in policy.guards] == ["bank", "protect"]
    bank = policy.guards[0]
    assert bank.on_failure == "block"
    assert (bank.reroute_refusals, bank.system) == (True, "Be brief.")
    assert bank.rules[0] == Rule(detector="pii", kinds=("IBAN",), action="pseudonymise", directions=("in",))
    assert bank.rules[1].label == parse_label("restricted:MNPI")
    assert bank.rules[2:] == built_in("strict").rules


def test_without_a_guard_nothing_is_scanned(tmp_path):
    settings = read(tmp_path, "")
    assert compiled.policy(settings, ()).guards == ()
    assert {one.guard for one in compiled.routes(settings, ()).routes} == {""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[policy]\nguard = "bnak"\n[guard.bank]\n', 'there is no guard "bnak"'),
        ('[guard.x]\nrules = [{ detector = "pi" }]\n', "there is no detector 'pi'"),
        ('[guard.x]\nrules = [{ detector = "pii", kinds = ["EMAL"] }]\n', "finds no 'EMAL'"),
        ('[guard.x]\nrules = [{ detector = "pii", action = "raise" }]\n', "needs one"),
        (
            '[guard.x]\nrules = [{ detector = "custom" }]\ncustom = [{ name = "a", pattern = "(?=x)" }]\n',
            "not known to RE2",
        ),
        ('[guard.x]\nrules = [{ detector = "pii", action = "drop" }]\n', "action"),
        ('[guard.x]\nlike = "stict"\n', "like"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, said):
    found = problems(tmp_path, text)
    assert len(found) == 1
    code, message, where, _ = found[0]
    assert said in message
    assert where.startswith("freehold.toml:")
    assert code.startswith("FH-CFG-")


@pytest.mark.parametrize("name", NAMES)
def test_profiles_that_come_with_freehold_can_be_made(name):
    made = compile_profile(built_in(name))
    assert made.looks_in
    assert {one.detector for one in made.profile.rules} <= {one for one, _ in MAKERS}


def test_the_registry_is_sorted():
    names = [name for name, _ in MAKERS]
    assert names == sorted(set(names))


def test_the_digest_tells_rules_words_and_versions():
    class Other:
        name, version, span, context = "pii", "9", 5, 0

    base = Profile(name="t", rules=(Rule(detector="pii"),), custom=(Custom(name="a", words=("x",)),))
    digests = {
        compile_profile(base).digest,
        compile_profile(Profile(name="t", rules=(Rule(detector="pii", at_least=0.6),), custom=base.custom)).digest,
        compile_profile(Profile(name="t", rules=base.rules, custom=(Custom(name="a", words=("y",)),))).digest,
        compile_profile(Profile(name="u", rules=base.rules, custom=base.custom)).digest,
        compile_profile(base, {"pii": Other()}).digest,
    }
    assert len(digests) == 5
    assert compile_profile(base).digest in digests


def test_what_looks_nowhere_looks_nowhere():
    made = compile_profile(Profile(name="t", rules=(Rule(detector="pii", directions=("in",)),)))
    assert (made.looks_in, made.looks_out) == (True, False)
    assert not compile_profile(Profile(name="t", rules=(Rule(detector="pii", action="pass"),))).looks_in


def test_profiles_that_cannot_be_made_say_why():
    with pytest.raises(BadProfile, match="no detector"):
        compile_profile(Profile(name="t", rules=(Rule(detector="nope"),)))
    with pytest.raises(BadProfile, match="needs one"):
        compile_profile(Profile(name="t", rules=(Rule(detector="pii", action="raise"),)))
    with pytest.raises(BadPattern):
        compile_profile(Profile(name="t", rules=(Rule(detector="custom"),), custom=(Custom(name="a", pattern="("),)))
