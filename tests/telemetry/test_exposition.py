"""The text format: escapes, exact numbers, and histograms that add up."""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.telemetry.exposition import Family, Sample, histogram, samples, text


def test_what_would_break_a_line_is_escaped():
    one = Family("a_total", "counter", "one\ntwo \\ three", (Sample(1, (("l", 'x"y\\z\n'),)),))
    assert text([one]) == '# HELP a_total one\\ntwo \\\\ three\n# TYPE a_total counter\na_total{l="x\\"y\\\\z\\n"} 1\n'


def test_money_keeps_every_digit_and_floats_their_value():
    told = text([Family("a", "gauge", "h", tuple(Sample(one) for one in (Decimal("0.000000000001"), 0.1, math.inf)))])
    assert told.splitlines()[2:] == ["a 0.000000000001", "a 0.1", "a +Inf"]


def test_samples_come_in_one_order():
    assert samples({("b",): 2, ("a",): 1}, ("l",)) == (Sample(1, (("l", "a"),)), Sample(2, (("l", "b"),)))


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, 3), st.integers(0, 1000)))
def test_buckets_only_grow_and_end_at_the_count(counts):
    found = histogram(counts, (0.1, 1.0, 10.0), 1.5)
    buckets = [one.value for one in found if one.suffix == "_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == found[-1].value == sum(counts.values())
    assert [one.labels[-1][1] for one in found[:4]] == ["0.1", "1.0", "10.0", "+Inf"]
