"""Sums of records are those of the records, whatever was done to them and in which order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from freehold.core.db import reading, writing
from freehold.ledger.meter import Usage
from freehold.workflows import store
from freehold.workflows.known import store as known
from freehold.workflows.records import Record
from freehold.workflows.sums import store as sums
from freehold.workflows.tables import record_sums, records
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

NAMES = st.sampled_from(["", "wf_a", "wf_b"])
MADE = st.builds(
    lambda number, workflow, model, label, status, latency, at: Record(
        id=number.to_bytes(16, "big"), at=at, source="openai", model=model, label=label, status=status, latency=latency,
        usage=Usage(input=number, output=2), request=b"{}", assigned=workflow, import_id=b"i" * 16,
    ),
    st.integers(1, 60), NAMES, st.sampled_from(["gpt-4o", "o3"]), st.sampled_from(["internal", "public"]),
    st.sampled_from([200, 500]), st.none() | st.floats(0, 9), st.sampled_from([0.0, 1e9, 1.1e9]),
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.lists(MADE, min_size=1, max_size=6)),
        st.tuples(st.just("assign"), st.lists(st.tuples(st.integers(1, 60), NAMES), max_size=5)),
        st.tuples(st.just("forget"), st.lists(st.integers(1, 60), max_size=5)),
        st.tuples(st.just("merge"), st.just(None)),
        st.tuples(st.just("say"), st.just(None)),
        st.tuples(st.just("settle"), st.just(None)),
    ),
    max_size=12,
)


def told(connection):
    found = [one for name in ("wf_a", "wf_b") for one in sums.sums(connection, name)]
    return sorted((one.workflow, one.model, one.label, one.calls, one.errors, one.first, one.last, one.input,
                   one.timed, round(one.latency or 0, 6), one.cost) for one in found)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_is_kept_is_what_would_be_summed(instance, steps):
    with writing(instance.engine) as connection:
        connection.execute(delete(records))
        connection.execute(delete(record_sums))
    for what, given_ in steps:
        with writing(instance.engine) as connection:
            if what == "insert":
                store.insert(connection, [(one, bytes(32)) for one in given_])
            elif what == "assign":
                store.assign(connection, [(number.to_bytes(16, "big"), name) for number, name in given_])
            elif what == "forget":
                store.forget(connection, [number.to_bytes(16, "big") for number in given_])
            elif what == "merge":
                known.lead_into(connection, "wf_b", "wf_a")
            elif what == "say":
                store.say_of_import(connection, b"i" * 16, "internal", {"vendor": "openai-api"})
            else:
                sums.settle(connection)
        with writing(instance.engine) as connection:
            kept = told(connection)
            every = len(sums.sums(connection))
            sums.clear(connection)
            assert kept == told(connection)
            assert every == len(sums.sums(connection))
            sums.settle(connection)
            assert kept == told(connection)
            assert not sums.due(connection)


def test_adding_keeps_sums_and_changing_makes_them_due(instance):
    first = Record(id=bytes(15) + b"1", at=1e9, source="openai", model="m", request=b"{}", assigned="wf_a")
    with writing(instance.engine) as connection:
        store.insert(connection, [(first, bytes(32))])
        assert not sums.due(connection)
        store.assign(connection, [(first.id, "wf_b")])
        assert sums.due(connection)
        assert sums.settle(connection)
        assert not sums.settle(connection)
    with reading(instance.engine) as connection:
        (one,) = sums.sums(connection)
    assert (one.workflow, one.calls, one.cost, one.latency) == ("wf_b", 1, Decimal(0), None)
