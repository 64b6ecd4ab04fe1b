"""Evidence: every failure that can be planted is found, nothing unknown is met, the same moment gives the same bytes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from freehold import __version__
from freehold.assurance.evidence import bundle, judge
from freehold.assurance.evidence.asking import LISTED, ask
from freehold.assurance.evidence.facts import Facts, WorkflowFact
from freehold.assurance.evidence.gather import gather
from freehold.assurance.evidence.report import page
from freehold.assurance.evidence.types import Document
from freehold.cli.evidence import FRAMEWORKS
from freehold.cli.main import freehold
from freehold.core.crypto import Identity
from freehold.core.db import writing
from freehold.core.errors import BadArtefact, BadSignature, Conflict, NotFound
from freehold.core.snapshot import write_snapshot
from freehold.guard.built_in import built_in
from freehold.identity.types import Keys
from freehold.ledger.tables import attempts, bodies, calls
from freehold.policy.types import Policy
from freehold.settings.assured import asked
from freehold.settings.load import parse
from tests.assurance.evidence_sample import GOOD, PLANTED, SENT, TARGET
from tests.ledger.sample import START, Home, closed, opened, refused

QUERIES = {one.name: one for one in judge.QUERIES}
SECTIONS = tuple(name for name in Facts.__struct_fields__ if name not in ("at", "since", "unread"))
EMPTY = Facts(at=GOOD.at, since=GOOD.since)
NOW = START + 3600


def made(framework: str, facts: Facts) -> Document:
    return judge.document(framework, judge.controls(framework), facts, __version__, "abc")


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_where_all_is_well_every_query_is_met(name: str) -> None:
    found = ask(QUERIES[name], GOOD)
    assert (found.standing, found.findings) == ("met", ()), found.said
    assert found.looked_at > 0


@pytest.mark.parametrize(("name", "plant", "record"), PLANTED)
def test_a_planted_failure_is_found_and_its_record_named(name: str, plant: Callable[[], Facts], record: str) -> None:
    found = ask(QUERIES[name], plant())
    assert found.standing == "not_met", found.said
    assert record in {one.record for one in found.findings}


def test_a_failure_is_planted_for_every_query() -> None:
    assert {name for name, _, _ in PLANTED} == QUERIES.keys()


@pytest.mark.parametrize("section", SECTIONS)
def test_what_could_not_be_read_is_unknown_and_never_met(section: str) -> None:
    facts = replace(GOOD, **{section: None})
    resting = [one for one in judge.QUERIES if section in one.records]
    assert resting, f"no query rests on {section}"
    for one in resting:
        found = ask(one, facts)
        assert found.standing == "unknown" and section in found.said


@given(st.sets(st.sampled_from(SECTIONS)), st.sampled_from(FRAMEWORKS))
@settings(max_examples=40)
def test_no_result_is_better_than_the_records_it_rests_on(gone: set[str], framework: str) -> None:
    found = made(framework, replace(GOOD, **dict.fromkeys(gone)))
    for one in found.results:
        if not one.query:
            assert one.standing == "person"
        elif gone & set(QUERIES[one.query].records):
            assert one.standing == "unknown"


def test_nothing_is_met_by_an_instance_that_has_no_records() -> None:
    nothing = {one: () for one in SECTIONS if isinstance(getattr(GOOD, one), tuple)}
    keeping = replace(GOOD.keeping, kept=0, erased=0)  # type: ignore[type-var]
    log = replace(GOOD.log, size=0, signed=0, outside=0, checkpoints=0)  # type: ignore[type-var]
    facts = replace(GOOD, **nothing, keeping=keeping, log=log)
    met = {one.name for one in judge.QUERIES if ask(one, facts).standing == "met"}
    # What these rest on are settings and the policy, which are there.
    assert met == {"people_sign_in", "policy_stands"}


def test_records_that_do_not_tell_are_unknown() -> None:
    errata = (replace(GOOD.errata[0], standing="unknown"),)  # type: ignore[index]
    assert ask(QUERIES["flaws_known"], replace(GOOD, errata=errata)).standing == "unknown"
    endings = (replace(GOOD.endings[0], state="unknown"),)  # type: ignore[index]
    assert ask(QUERIES["models_last"], replace(GOOD, endings=endings)).standing == "unknown"
    models = (replace(GOOD.models[0], whole=""),)  # type: ignore[index]
    assert ask(QUERIES["models_whole"], replace(GOOD, models=models)).standing == "unknown"
    gone = (replace(SENT, target="gone", known=False),)
    assert ask(QUERIES["calls_cleared"], replace(GOOD, sent=gone)).standing == "unknown"
    elsewhere = (*GOOD.targets, replace(TARGET, name="own", owned=True, stored=False))  # type: ignore[misc]
    for name in ("models_whole", "models_scanned", "models_licensed", "models_listed", "models_vouched"):
        assert ask(QUERIES[name], replace(GOOD, targets=elsewhere)).standing == "unknown"
    homeless = (*GOOD.workflows, WorkflowFact(id="", targets=("rented",), calls=3))  # type: ignore[misc]
    assert ask(QUERIES["workflows_evaluated"], replace(GOOD, workflows=homeless)).standing == "unknown"


def test_what_remains_for_a_person_keeps_a_control_from_being_met() -> None:
    for framework in FRAMEWORKS:
        for one in made(framework, GOOD).results:
            wanted = "person" if not one.query else "in_part" if one.control.remains else "met"
            assert one.standing == wanted, one.control.reference


def test_many_findings_are_counted_and_the_first_listed() -> None:
    keys = tuple(replace(GOOD.keys[0], name=f"k{at:03d}", expires_at="") for at in range(LISTED + 7))  # type: ignore[index]
    found = ask(QUERIES["keys_end"], replace(GOOD, keys=keys))
    assert (len(found.findings), found.more) == (LISTED, 7)


def test_every_row_has_its_source_its_date_and_a_query_that_is_there() -> None:
    rows = judge.controls()
    assert len(rows) >= 25 and {one.framework for one in rows} == set(FRAMEWORKS) == {
        one for one, _ in judge.FRAMEWORKS
    }
    for one in rows:
        assert one.source.startswith("https://") and re.fullmatch(r"\d{4}-\d\d-\d\d", one.as_of)
        assert one.query in ("", *QUERIES) and one.title and one.asks
        assert one.query or one.remains, f"{one.reference} is answered by nothing and left to nobody"
    assert {one.query for one in rows if one.query} >= QUERIES.keys() - {"calls_decided", "calls_placed", "keys_labelled",
                                                                          "routes_guarded"}  # fmt: skip
    assert len({(one.framework, one.reference, one.query, one.title) for one in rows}) == len(rows)


# -- a real instance


CONFIG = '[audit]\ncheckpoints = ["{0}"]\n'


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with calls in a signed log, snapshots, and one call that the guard looked at."""
    from freehold.ledger.intake.loader import Loader, Pace

    folder = tmp_path_factory.mktemp("evidence")
    home = Home(folder / "home")
    home.begin("e1")
    for number in range(20):
        home.write("e1", opened(number, label="public"), closed(number, scanned=10))
    home.write("e1", refused(30))
    loader = Loader(home.path, home.engine, home.keys, lambda: START, Pace(checkpoint_seconds=0.5))
    while loader.load():
        pass
    loader.tend(final=True)
    policy = Policy(guards=(built_in("strict"),))
    write_snapshot(home.path / "snapshots", "policy", 4, START, policy, home.keys.identity)
    write_snapshot(home.path / "snapshots", "keys", 2, START, Keys(), home.keys.identity)
    home.close()
    home.engine.dispose()
    return home.path


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "home"))


def read(home: Path, config: str = "") -> Facts:
    return gather(asked(home, parse(config.encode(), None, {}).settings, NOW, 90))


def standing(facts: Facts, name: str) -> str:
    return ask(QUERIES[name], facts).standing


def test_a_real_instance_is_read_whole_and_its_records_answer(home: Path) -> None:
    facts = read(home)
    assert facts.unread == () and all(getattr(facts, one) is not None for one in SECTIONS)
    assert facts.log is not None and facts.log.good and facts.log.size == 21
    for name in ("log_whole", "calls_ended", "calls_named", "calls_decided", "calls_scanned", "calls_cleared"):
        assert standing(facts, name) == "met", name
    assert standing(facts, "log_outside") == "not_met"
    assert standing(facts, "moves_proved") == "no_records"
    assert standing(facts, "models_whole") == "unknown"  # an owned target of it serves what is not in the store


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_same_instance_at_the_same_moment_gives_the_same_bytes(home: Path, framework: str) -> None:
    first, second = (bundle.files(made(framework, read(home))) for _ in range(2))
    assert first == second
    assert bundle.files(made(framework, replace(read(home), at="2026-01-01T00:00:00.000Z"))) != first


def test_a_changed_row_of_the_ledger_is_found(home: Path) -> None:
    with writing(Home(home).engine) as connection:
        connection.execute(calls.update().where(calls.c.leaf == 3).values(label="internal"))
    found = ask(QUERIES["log_whole"], read(home))
    assert found.standing == "not_met" and any("leaf 3" in one.why for one in found.findings), found.findings


def test_a_call_that_policy_would_refuse_is_found(home: Path) -> None:
    with writing(Home(home).engine) as connection:
        connection.execute(calls.update().where(calls.c.leaf == 3).values(label="restricted"))
    found = ask(QUERIES["calls_cleared"], read(home))
    assert found.standing == "not_met" and "cleared for public" in found.findings[0].why


def test_a_target_that_was_tried_and_failed_got_the_content_too(home: Path) -> None:
    with writing(Home(home).engine) as connection:
        connection.execute(attempts.update().where(attempts.c.leaf == 3).values(target="big", owned=False, region=""))
    found = ask(QUERIES["calls_placed"], read(home))
    assert found.standing == "not_met" and found.findings[0].record.endswith("/big")


def test_a_body_past_its_day_is_found_unless_it_is_held(home: Path) -> None:
    row = {
        "call": bytes(16), "side": "request", "digest": bytes(32), "label": "public", "size": 1, "kept_at": START,
        "retention_until": START + 1, "erased_at": None, "erased_why": "", "key_id": "", "team": "",
    }  # fmt: skip
    with writing(Home(home).engine) as connection:
        connection.execute(bodies.insert(), [row])
    assert standing(read(home), "retention_kept") == "not_met"


def test_a_key_file_that_others_can_read_is_found(home: Path) -> None:
    assert standing(read(home), "keys_private") == "met"
    (home / "data.key").chmod(0o644)
    assert standing(read(home), "keys_private") == "not_met"


def test_snapshots_that_are_gone_or_forged_are_unknown(home: Path) -> None:
    path = home / "snapshots" / "policy.snapshot"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    facts = read(home)
    assert {one.section for one in facts.unread} == {"guards", "policy", "routes", "sent", "targets"}
    assert standing(facts, "policy_stands") == standing(facts, "calls_cleared") == "unknown"


def test_a_database_that_cannot_be_read_is_unknown_and_said(home: Path) -> None:
    (home / "freehold.db").write_bytes(b"no database" * 500)
    for path in home.glob("freehold.db-*"):
        path.unlink()
    facts = read(home)
    assert {"calls", "keys", "moves", "people"} <= {one.section for one in facts.unread}
    for framework in FRAMEWORKS:
        assert not [
            one for one in made(framework, facts).results if one.query == "calls_named" and one.standing == "met"
        ]


def test_without_settings_what_rests_on_them_is_unknown(home: Path) -> None:
    facts = gather(asked(home, None, NOW, 90))
    assert standing(facts, "people_sign_in") == standing(facts, "log_outside") == "unknown"
    assert standing(facts, "flaws_known") == "unknown"


def test_outside_folders_that_do_not_hold_the_log_are_found(home: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    assert standing(read(home, CONFIG.format(tmp_path / "outside")), "log_outside") == "not_met"


def test_a_folder_without_an_instance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read(tmp_path)


# -- the folder


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    identity = Identity.load(home / "identity.key")
    found = judge.document("soc2", judge.controls("soc2"), read(home), __version__, identity.key_id)
    bundle.write(found, identity, tmp_path / "out")
    return tmp_path / "out"


def test_an_honest_folder_holds_in_every_check(folder: Path, home: Path) -> None:
    key = Identity.load(home / "identity.key").public.hex()
    assert [one.what for one in bundle.verify(folder, key) if not one.ok] == []
    with pytest.raises(Conflict):
        bundle.write(bundle.read(folder)[1], Identity.load(home / "identity.key"), folder)


@pytest.mark.parametrize("name", [bundle.JSON, bundle.PAGE, bundle.OSCAL, bundle.MANIFEST])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(
        path.read_bytes().replace(b"not", b"n0t", 1) if name != bundle.MANIFEST else path.read_bytes() + b" "
    )
    with pytest.raises((BadSignature, BadArtefact)):
        bundle.verify(folder)


def test_a_file_more_or_less_or_another_key_is_refused(folder: Path, tmp_path: Path) -> None:
    other = Identity.load(tmp_path / "other.key").public.hex()
    with pytest.raises((BadSignature, BadArtefact)):
        bundle.verify(folder, other)
    (folder / "more.txt").write_text("x")
    with pytest.raises(BadSignature):
        bundle.verify(folder)
    (folder / "more.txt").unlink()
    (folder / bundle.PAGE).unlink()
    with pytest.raises(BadSignature):
        bundle.verify(folder)


@pytest.mark.parametrize(
    "forge",
    [
        lambda one: one["results"][3].update(standing="met"),
        lambda one: one["results"][3].update(said="all is well"),
        lambda one: next(each for each in one["answers"] if each["findings"]).update(findings=[]),
        lambda one: one["facts"]["log"].update(problems=["leaf 3: changed"]),
    ],
)
def test_a_result_its_facts_do_not_give_is_found_though_it_is_signed(
    folder: Path, home: Path, tmp_path: Path, forge: Callable[[dict[str, object]], object]
) -> None:
    told = json.loads((folder / bundle.JSON).read_bytes())
    forge(told)
    forged = msgspec.convert(told, Document)
    bundle.write(forged, Identity.load(home / "identity.key"), tmp_path / "forged")
    failed = [one.what for one in bundle.verify(tmp_path / "forged") if not one.ok]
    assert failed == ["results computed anew from its facts"]


def test_controls_that_were_left_out_or_reworded_are_found(folder: Path, home: Path, tmp_path: Path) -> None:
    identity, found = Identity.load(home / "identity.key"), bundle.read(folder)[1]
    rows = judge.controls("soc2")
    for number, chosen in enumerate((rows[1:], (replace(rows[0], remains="nothing"), *rows[1:]))):
        less = judge.document("soc2", chosen, found.facts, __version__, identity.key_id)
        bundle.write(less, identity, tmp_path / str(number))
        failed = [one.what for one in bundle.verify(tmp_path / str(number)) if not one.ok]
        assert failed == ["its controls are those of this version"]


def test_oscal_names_every_control_and_calls_nothing_satisfied_that_is_not_met() -> None:
    for framework in FRAMEWORKS:
        found = made(framework, replace(GOOD, models=None))
        told = json.loads(bundle.files(found)[bundle.OSCAL])["assessment-results"]
        (result,) = told["results"]
        states = [one["target"]["status"]["state"] for one in result["findings"]]
        assert states == ["satisfied" if one.standing == "met" else "not-satisfied" for one in found.results]
        observed = {one["uuid"] for one in result["observations"]}
        related = {
            each["observation-uuid"] for one in result["findings"] for each in one.get("related-observations", ())
        }
        assert related == observed


def test_oscal_is_read_by_nists_model_as_trestle_has_it(tmp_path: Path) -> None:
    model = pytest.importorskip("trestle.oscal.assessment_results", reason="compliance-trestle is not installed")
    for framework in FRAMEWORKS:
        model.Model.model_validate_json(bundle.files(made(framework, GOOD))[bundle.OSCAL])


def test_the_page_has_no_script_and_escapes_what_it_tells(home: Path) -> None:
    keys = (replace(GOOD.keys[0], name="<script>alert(1)</script>", expires_at=""),)  # type: ignore[index]
    told = page(made("soc2", replace(GOOD, keys=keys)))
    assert "<script" not in told and "&lt;script&gt;" in told
    assert "http-equiv" not in told and "src=" not in told


def test_the_command_writes_verifies_and_tells_by_its_code(home: Path, tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text("")
    place = ["--home", str(home), "--config", str(tmp_path / "freehold.toml")]
    out = str(tmp_path / "evidence")
    done = CliRunner().invoke(freehold, ["evidence", "--framework", "hipaa", "--out", out, "--json", *place])
    assert done.exit_code == 4, done.output
    told = json.loads(done.stdout)
    assert {one["standing"] for one in told["results"]} >= {"not_met", "person"}
    checked = CliRunner().invoke(freehold, ["evidence", "verify", out, "--json"])
    assert checked.exit_code == 0 and all(one["ok"] for one in json.loads(checked.stdout))
    rows = CliRunner().invoke(freehold, ["evidence", "controls", "--framework", "hipaa", "--json"])
    assert len(json.loads(rows.stdout)) == len(told["results"])
