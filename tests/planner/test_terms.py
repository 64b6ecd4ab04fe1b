"""Papers against labels: the policy's own rows and rules, and nothing that is unknown counts as allowed."""

from __future__ import annotations

import msgspec

from freehold.planner.plan import make
from freehold.planner.report.registry import report
from freehold.planner.terms import vendors
from freehold.policy.vendors import Fact, packaged
from tests.planner.planned import DAY, HOST, SETTLED, inputs, work

TODAY = DAY.isoformat()


def lacks(label, model, facts=None):
    (one,) = vendors(label, [model], packaged() if facts is None else facts, TODAY)
    return one.lacks


def test_public_content_needs_no_papers():
    assert lacks("public", HOST) == ()


def test_a_host_nobody_knows_lacks_everything_a_label_needs():
    assert any("trains nothing" in one for one in lacks("confidential", HOST))
    assert any("HIPAA" in one for one in lacks("internal:HIPAA", HOST))


def test_a_contract_covers_what_public_rows_do_not():
    signed = Fact(
        party="openai-api",
        attribute="zero_retention",
        values=("on",),
        certainty="contract",
        source="MSA 7",
        as_of="2026-01-01",
        by="legal",
    )
    without, covered = (lacks("restricted", "openai/gpt-4o", facts) for facts in (packaged(), (*packaged(), signed)))
    assert any("nothing is kept" in one for one in without)
    assert not any("nothing is kept" in one for one in covered)


def test_terms_name_the_need_and_whether_it_is_covered():
    (one,) = vendors("restricted:HIPAA", ["openai/gpt-4o"], packaged(), TODAY)
    needs = {term.attribute: term for term in one.terms if term.need}
    assert set(needs) == {"hipaa_baa", "trains_by_default", "zero_retention"}
    assert all(term.covered is not None for term in needs.values())
    assert all(term.source for term in one.terms)


def test_an_option_whose_vendor_may_not_take_the_label_is_never_advised():
    facts = msgspec.structs.replace(SETTLED, label="restricted:HIPAA")
    one = work(requests=3e7, facts=facts)
    names = [each.model for each in (one.now, *one.closed, *one.hosted)]
    one = msgspec.structs.replace(one, vendors=vendors("restricted:HIPAA", names, packaged(), TODAY))
    decision = make(inputs(one, draws=300)).workflows[0].decision
    assert decision.option != "hosted_open"


def test_terms_are_shown_to_the_ciso_though_no_label_is_known():
    facts = msgspec.structs.replace(SETTLED, label=None)
    one = work(facts=facts, vendors=vendors("", ["openai/gpt-4o"], packaged(), TODAY))
    page = report(make(inputs(one, draws=300)), "00", "ciso", "md").decode()
    assert "trains\\_by\\_default" in page
    assert "nobody said how sensitive it is" in page
