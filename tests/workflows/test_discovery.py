from __future__ import annotations

import msgspec
import pytest

from freehold.core.db import reading, writing
from freehold.core.errors import BadRequest, Conflict, NotFound
from freehold.ledger.capture import erase_call
from freehold.workflows import edits
from freehold.workflows import store as records
from freehold.workflows.discovery import assign_new, discover
from freehold.workflows.known import store
from freehold.workflows.publish import content
from freehold.workflows.store import Which
from tests.postgres import EACH_DATABASE
from tests.workflows.traffic import START, body, record, rows, traffic, words

pytestmark = EACH_DATABASE

NOW = START + 10_000_000.0


def clock():
    return NOW


@pytest.fixture
def found(instance):
    made, truth = traffic(60)
    instance.shelf.put(made, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    return truth


def known(instance):
    with reading(instance.engine) as connection:
        return {one.id: one for one in store.everything(connection) if not one.into}


def owners(instance):
    return {one.id: one.assigned for one in instance.shelf.records(Which())}


def by_task(instance, truth):
    tasks = {}
    for id_, owner in owners(instance).items():
        if id_ in truth:
            tasks.setdefault(truth[id_], set()).add(owner)
    return tasks


def change(instance, function):
    with writing(instance.engine) as connection:
        return function(connection)


def test_every_record_is_assigned_and_tasks_have_one_workflow_each(instance, found):
    tasks = by_task(instance, found)
    assert all(len(one) == 1 for one in tasks.values())
    assert len(set.union(*tasks.values())) == 3
    assert sorted(known(instance)) == sorted(set.union(*tasks.values()))


def test_running_again_changes_nothing(instance, found):
    before, workflows = owners(instance), known(instance)
    with reading(instance.engine) as connection:
        published = content(connection)
    assert discover(instance.engine, instance.shelf, clock)["assigned"] == 0
    assert owners(instance) == before and known(instance) == workflows
    with reading(instance.engine) as connection:
        assert content(connection) == published


def test_ids_stay_as_traffic_grows(instance, found):
    before = by_task(instance, found)
    more, truth = traffic(80, seed=2)
    instance.shelf.put(more, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    assert by_task(instance, {**found, **truth}) == before


def test_ids_stay_where_the_old_records_are_gone(instance, found):
    before = {one.name: id_ for id_, one in known(instance).items()}
    change(instance, lambda connection: connection.exec_driver_sql("DELETE FROM records"))
    more, _ = traffic(80, seed=2)
    instance.shelf.put(more, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    assert {one.name: id_ for id_, one in known(instance).items()} == before


def test_a_new_task_gets_a_new_workflow_and_the_others_keep_theirs(instance, found):
    before = by_task(instance, found)
    system = "Score how urgent the report of a broken street lamp is from 0 to 9 and answer with the digit only please."
    lamps = [record(900_000 + number, body(f"lamp {number} is dark", system), str(number % 10)) for number in range(60)]
    instance.shelf.put(lamps, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    assert by_task(instance, found) == before
    assert len(known(instance)) == 4


def test_names_say_what_is_done_and_are_the_same_each_time(instance, found):
    names = {one.name for one in known(instance).values()}
    assert len(names) == 3
    assert any(name.startswith("classify-") for name in names)
    assert any(name.startswith("extract-") for name in names)


def test_a_name_that_callers_gave_always_wins(instance):
    made, _ = traffic(40)
    labelled = [msgspec.structs.replace(one, workflow="town-hall") if n % 3 == 0 and n % 2 else one
                for n, one in enumerate(made)]  # fmt: skip
    instance.shelf.put(labelled, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    with reading(instance.engine) as connection:
        named = store.resolve(connection, "town-hall")
    assert named.named
    assigned = owners(instance)
    assert {assigned[one.id] for one in labelled if one.workflow} == {named.id}
    assert {assigned[one.id] for n, one in enumerate(labelled) if n % 3 == 0} == {named.id}, "the unlabelled join"
    assert len(known(instance)) == 3


def test_renaming_survives_discovery(instance, found):
    one = next(iter(known(instance).values()))
    change(instance, lambda connection: edits.rename(connection, one, "letters"))
    discover(instance.engine, instance.shelf, clock)
    assert known(instance)[one.id].name == "letters"


def test_callers_who_say_an_old_name_are_not_left_behind(instance):
    made, _ = traffic(40)
    labelled = [msgspec.structs.replace(one, workflow="town-hall") if n % 3 == 0 else one for n, one in enumerate(made)]
    instance.shelf.put(labelled, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    one = next(each for each in known(instance).values() if each.name == "town-hall")
    other = next(each for each in known(instance).values() if each.id != one.id)
    for name in ("letters", "post"):
        one = change(instance, lambda connection, one=one, name=name: edits.rename(connection, one, name))
    more = [msgspec.structs.replace(each, workflow="town-hall") for each in traffic(20, seed=5)[0]]
    instance.shelf.put(more, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    assigned = owners(instance)
    assert {assigned[each.id] for each in (*labelled, *more) if each.workflow} == {one.id}
    with reading(instance.engine) as connection:
        names = dict(content(connection).names)
    assert [names[name] for name in ("town-hall", "letters", "post")] == [one.id] * 3
    with pytest.raises(Conflict):
        change(instance, lambda connection: edits.rename(connection, other, "town-hall"))
    assert change(instance, lambda connection: edits.rename(connection, one, "town-hall")).name == "town-hall"
    assert known(instance)[one.id].name == "town-hall"


def test_a_workflow_that_moves_keeps_its_templates_though_its_records_went(instance, found):
    (moving,), (other,) = by_task(instance, found)["reply"], by_task(instance, found)["classify"]
    for id_, owner in owners(instance).items():
        if owner in (moving, other):
            erase_call(instance.engine, instance.shelf._bodies, id_, "retention", NOW)
    discover(instance.engine, instance.shelf, clock, moving=lambda _connection: frozenset({moving}))
    with reading(instance.engine) as connection:
        led_to = {one.workflow for one in content(connection).templates}
    assert moving in led_to
    assert other not in led_to
    assert moving in known(instance)


def test_two_workflows_cannot_have_one_name(instance, found):
    one, other, _ = known(instance).values()
    with pytest.raises(Conflict):
        change(instance, lambda connection: edits.rename(connection, one, other.name))
    for bad in ("", "wf_123456789abc", "a\nb", "x" * 65):
        with pytest.raises(BadRequest):
            change(instance, lambda connection, bad=bad: edits.rename(connection, one, bad))


def test_merging_survives_discovery_and_more_traffic(instance, found):
    tasks = by_task(instance, found)
    (gone,), (into,) = tasks["reply"], tasks["classify"]
    workflows = known(instance)
    change(instance, lambda connection: edits.merge(connection, workflows[gone], workflows[into]))
    assert by_task(instance, found)["reply"] == {into}
    more, truth = traffic(50, seed=3)
    instance.shelf.put(more, NOW, 1e9)
    discover(instance.engine, instance.shelf, clock)
    after = by_task(instance, {**found, **truth})
    assert after["reply"] == after["classify"] == {into}
    with reading(instance.engine) as connection:
        assert store.resolve(connection, gone).id == into
        names = dict(content(connection).names)
    assert names[workflows[gone].name] == into


def test_splitting_survives_discovery(instance, found):
    tasks = by_task(instance, found)
    (gone,), (into,) = tasks["reply"], tasks["classify"]
    workflows = known(instance)
    merged = change(instance, lambda connection: edits.merge(connection, workflows[gone], workflows[into]))
    with reading(instance.engine) as connection:
        held = store.templates(connection, into)
    made = change(instance, lambda connection: edits.split(connection, merged, (1,), "part", NOW))
    for _ in range(2):
        discover(instance.engine, instance.shelf, clock)
        after = by_task(instance, found)
        assert {frozenset(after["reply"]), frozenset(after["classify"])} == {frozenset({into}), frozenset({made.id})}
    assert len(held) >= 2


def test_a_split_that_makes_no_sense_is_refused(instance, found):
    one = next(iter(known(instance).values()))
    with reading(instance.engine) as connection:
        count = len(store.templates(connection, one.id))
    with pytest.raises(NotFound):
        change(instance, lambda connection: edits.split(connection, one, (count + 1,), "", NOW))
    with pytest.raises(BadRequest):
        change(instance, lambda connection: edits.split(connection, one, tuple(range(1, count + 1)), "", NOW))


def test_later_records_are_assigned_as_the_gateway_would(instance, found):
    before = by_task(instance, found)
    more, truth = traffic(20, seed=4)
    instance.shelf.put(more, NOW, 1e9)
    assert assign_new(instance.engine, instance.shelf) == 60
    assert by_task(instance, truth) == before
    assert assign_new(instance.engine, instance.shelf) == 0


def test_what_follows_no_template_waits_for_discovery(instance, found):
    instance.shelf.put(
        [record(1, body("tell me a joke about rivers", "You are a pirate who rhymes."), "Arr")], NOW, 1e9
    )
    assert assign_new(instance.engine, instance.shelf) == 0


def test_a_killed_run_leaves_the_last_ones_result(instance, found, monkeypatch):
    before, workflows = owners(instance), known(instance)
    more, _ = traffic(50, seed=5)
    instance.shelf.put(more, NOW, 1e9)

    class Killed(BaseException):
        pass

    def die(connection, pairs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(records, "assign", die)
        with pytest.raises(Killed):
            discover(instance.engine, instance.shelf, clock)
    assert {id_: owner for id_, owner in owners(instance).items() if id_ in before} == before
    assert known(instance) == workflows
    discover(instance.engine, instance.shelf, clock)
    assert "" not in owners(instance).values()


def test_what_is_erased_is_passed_over(instance, found):
    change(instance, lambda connection: connection.exec_driver_sql(
        "UPDATE bodies SET digest = NULL, erased_at = 1.0 WHERE call IN (SELECT id FROM records LIMIT 30)"))  # fmt: skip
    before = {one.name for one in known(instance).values()}
    assert discover(instance.engine, instance.shelf, clock)["records"] == 150
    assert {one.name for one in known(instance).values()} == before


def test_rows_are_what_they_seem():
    assert [name for name, _, _ in rows(1)] == ["classify", "extract", "reply"]
    assert words(__import__("random").Random(1), 3, 3).count(" ") == 2
