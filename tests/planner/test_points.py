"""Points, constants fitted to them, probes and ranges."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import planner_blend
from bench.planner import judged
from bench.planner_points import figures, scored
from freehold.core.errors import FreeholdError
from freehold.planner.constants import fitted
from freehold.planner.errors import PlanError
from freehold.planner.estimate import estimate, placed
from freehold.planner.fitting import estimated, fit_constants, prepared, residuals
from freehold.planner.gpus import gpu
from freehold.planner.memory import Layout
from freehold.planner.points import read_points, spreads, systems
from freehold.planner.probing import Probe, chosen, read_probe, refitted
from freehold.planner.ranges import Known, Widths, calibrated, spread, strangeness
from freehold.planner.regimes import Load
from freehold.planner.roofline import Constants
from freehold.planner.shapes import shape

DEV = Path(__file__).parents[3] / "shared" / "data" / "planner" / "throughput_dev.csv"
ROW = {
    "id": "a-1",
    "source": "a",
    "model": "Llama-3.1-8B",
    "params_total_b": "8.03",
    "params_active_b": "8.03",
    "weight_precision": "fp8",
    "gpu": "H100",
    "n_gpus": "1",
    "parallel": "tp1pp1",
    "engine": "vllm",
    "regime": "closed_loop",
    "isl": "1024",
    "osl": "1024",
    "concurrency": "16",
    "output_tok_s": "1500",
    "slo": "",
}


def written(path, *changes):
    rows = [{**ROW, **one} for one in changes]
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(ROW))
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"output_tok_s": "fast"}, "output_tok_s"),
        ({"output_tok_s": ""}, "output_tok_s"),
        ({"output_tok_s": "-3"}, "output_tok_s"),
        ({"output_tok_s": "0"}, "output_tok_s"),
        ({"isl": "-1"}, "isl"),
        ({"osl": "inf"}, "osl"),
        ({"regime": "sometimes"}, "regime"),
        ({"model": "unheard-of", "params_total_b": ""}, "model"),
    ],
)
def test_a_bad_row_is_named_with_its_field(tmp_path, change, field):
    with pytest.raises(PlanError) as caught:
        read_points(written(tmp_path / "points.csv", {}, change))
    assert caught.value.param == field
    assert "row 3" in caught.value.message


def test_an_empty_table_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(PlanError, match="no point"):
        read_points(written(tmp_path / "points.csv"))
    with pytest.raises(PlanError):
        read_points(tmp_path / "none.csv")


def test_an_unknown_accelerator_or_format_is_named_with_its_row_or_left_out_and_told(tmp_path):
    for change, words in (({"gpu": "abacus"}, "abacus"), ({"weight_precision": "fp3"}, "fp3")):
        path = written(tmp_path / "points.csv", {}, change)
        with pytest.raises(FreeholdError, match=f"row 3.*{words}"):
            read_points(path)
        told = []
        assert len(read_points(path, told)) == 1
        assert words in told[0]


def test_a_model_that_is_not_known_is_taken_by_its_sizes(tmp_path):
    changes = {"model": "unheard-of-30B", "params_total_b": "30", "params_active_b": "3"}
    (point,) = read_points(written(tmp_path / "points.csv", changes))
    assert point.serving.shape.source == "sizes alone"
    assert estimated(prepared([point])[0], Constants()) is not None


def test_limits_are_read_from_their_words(tmp_path):
    change = {"regime": "server_slo", "slo": "p99 TTFT 0.45s, TPOT 40ms"}
    (point,) = read_points(written(tmp_path / "points.csv", change))
    assert (point.load.ttft_limit, point.load.tpot_limit) == (0.45, 0.04)


def test_how_it_was_spread_is_read_or_left_open():
    dense, mixed = shape("Llama-3.1-70B"), shape("Mixtral-8x7B")
    assert spreads(dense, 8, "tp4pp2dp1", "") == (Layout(tensor=4, pipeline=2),)
    assert spreads(mixed, 8, "tp8pp1", "MoE run with attention-DP") == (Layout(data=8),)
    assert spreads(mixed, 4, "tp2pp1dp2-moe_tp1ep4", "") == (Layout(tensor=2, data=2),)
    assert spreads(dense, 8, "", "") == (Layout(tensor=8),)
    assert len(spreads(dense, 8, "submitter choice", "")) == 4


def made(tmp_path, truth, *changes):
    """Points that a machine with these constants would have measured."""
    points = read_points(written(tmp_path / "points.csv", *changes))
    found = []
    for guess in prepared(points):
        best = estimated(guess, truth)
        assert best is not None
        found.append(msgspec.structs.replace(guess.point, measured=best[1]))
    return found


LOADS = [
    {"concurrency": str(size), "isl": str(isl), "osl": str(osl)}
    for size in (1, 8, 64, 256)
    for isl, osl in ((128, 1024), (1024, 1024), (8192, 256))
]


def test_the_constants_that_made_the_points_are_found_again(tmp_path):
    truth = Constants(compute=0.35, memory=0.5, step_seconds=3e-3)
    points = made(tmp_path, truth, *LOADS)
    found = fit_constants(points)
    before, after = (abs(residuals(prepared(points), one)).mean() for one in (Constants(), found))
    assert after < 0.5 * before
    assert found.memory < 0.62
    assert found.compute * found.compute_fp8 < 0.45  # of 0.54 before


def test_nothing_is_learned_from_nothing():
    assert fit_constants([]) == Constants()


def test_a_probe_takes_most_of_what_is_wrong_away_and_two_take_more(tmp_path):
    book = fitted().known.constants
    truth = msgspec.structs.replace(book, speed=0.7, step_seconds=book.step_seconds * 2)
    points = made(tmp_path, truth, *LOADS)

    def error(count):
        taken = chosen(points, count) if count else []
        known = refitted([points[one] for one in taken], book)
        rest = [one for place, one in enumerate(points) if place not in taken]
        return float(abs(residuals(prepared(rest), known)).mean())

    assert error(1) < 0.5 * error(0)
    assert error(2) < error(1)


def test_which_points_are_probed_does_not_look_at_what_was_measured(tmp_path):
    points = made(tmp_path, Constants(), *LOADS)
    other = [msgspec.structs.replace(one, measured=1000.0 - place) for place, one in enumerate(points)]
    assert chosen(points, 2) == chosen(other, 2)
    assert len(set(chosen(points, 2))) == 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.001, 3.0)), min_size=1, max_size=60))
def test_the_calibrated_width_covers_what_it_was_calibrated_on(scores):
    half = calibrated(scores)
    names = [one for one, _ in scores]
    weight = [names.count(one) ** -0.5 for one in names]
    inside = sum(each for (_, value), each in zip(scores, weight, strict=True) if value <= half)
    assert inside / sum(weight) >= 0.8 - 1e-9
    assert half in {value for _, value in scores}


def test_ranges_are_wider_for_what_is_less_like_the_points_and_narrower_after_probes():
    dense = placed(shape("Llama-3.1-8B"), gpu("H100"), 1, "bf16")
    mixed = placed(shape("DeepSeek-R1"), gpu("MI300X"), 8, "fp8")
    assert strangeness(dense) == 1.0 < strangeness(mixed, 1) < strangeness(mixed)
    known = Known(Constants(), Widths(0.4, 0.25, 0.2))
    assert known.half(mixed) > known.half(mixed, 1) > known.half(mixed, 2)
    found = spread(100.0, 0.3)
    assert (found.p10 * found.p90) == pytest.approx(100.0**2)


def test_an_estimate_has_ranges_with_source_and_date():
    one = placed(shape("Llama-3.1-8B"), gpu("H100"), 1, "bf16")
    found = estimate(one, Load(regime="closed_loop", concurrency=16))
    rate = found.output_tokens_per_second
    assert rate is not None
    assert rate.p10 < rate.p50 < rate.p90
    assert "roofline" in rate.source and rate.as_of


def test_two_estimators_that_differ_meet_in_the_middle_with_less_confidence():
    one, load = placed(shape("Llama-3.1-8B"), gpu("H100"), 1, "bf16"), Load(regime="closed_loop", concurrency=16)
    alone = estimate(one, load).output_tokens_per_second
    assert alone is not None
    near, far = (estimate(one, load, second=alone.p50 * factor) for factor in (1.05, 3.0))
    assert near.output_tokens_per_second is not None and far.output_tokens_per_second is not None
    assert far.output_tokens_per_second.p50 == pytest.approx(alone.p50 * math.cbrt(3.0))
    assert near.output_tokens_per_second.p90 / near.output_tokens_per_second.p10 < alone.p90 / alone.p10
    assert far.output_tokens_per_second.p90 / far.output_tokens_per_second.p10 > alone.p90 / alone.p10
    assert far.confidence == "low"


def test_what_does_not_fit_has_no_figures():
    found = estimate(placed(shape("Llama-3.1-70B"), gpu("T4"), 1, "bf16"), Load())
    assert not found.fits
    assert found.output_tokens_per_second is None
    assert "GiB" in found.why


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"model": 1}'])
def test_a_file_that_no_probe_wrote_is_refused(tmp_path, raw):
    (tmp_path / "probe.json").write_bytes(raw)
    with pytest.raises(PlanError, match="no file of a probe"):
        read_probe(tmp_path / "probe.json")


def test_a_probes_file_is_read_as_it_was_written(tmp_path):
    made = Probe(model="m", gpu="H100", gpus=1, precision="bf16", at="2026-11-22", measured=(), known=Known())
    (tmp_path / "probe.json").write_bytes(msgspec.json.encode(made))
    assert read_probe(tmp_path / "probe.json") == made


@pytest.mark.skipif(not DEV.exists(), reason="published points lie beside the checkout in development only")
def test_estimates_of_sources_that_were_not_fitted_are_as_good_as_is_said():
    points, book = read_points(DEV), fitted()
    found = {probes: figures(judged(points, book, probes)) for probes in (0, 1, 2)}
    assert found[0]["points"] == len(points)
    for probes, bound in ((0, 0.18), (1, 0.13), (2, 0.10)):
        assert found[probes]["median_error"] < bound
        assert 0.75 <= found[probes]["coverage_80"] <= 0.88
    assert found[0]["within_2x"] > 0.95
    assert len(systems(points)) > 100
    assert scored([], book.known, 2) == []


def test_both_estimators_alone_and_blended_are_judged_with_and_without_probes(tmp_path, monkeypatch):
    """One that is off by the same factor everywhere is right once a point of the system was measured."""
    rows = [{"id": f"a-{at}", "concurrency": str(2**at), "output_tok_s": str(300 * 1.7**at)} for at in range(1, 7)]
    points = read_points(written(tmp_path / "points.csv", *rows))
    monkeypatch.setattr(planner_blend, "_theirs", lambda point, _book: point.measured * 2.0)
    found = planner_blend.compared(points, fitted(), 1)
    assert (found["asked"], found["answered"], found["systems"]) == (6, 6, 1)
    for probes in planner_blend.PROBES:
        told = found[f"probes_{probes}"]
        assert {told[name]["points"] for name in planner_blend.NAMES} == {6 - probes}
        assert told["aiconfigurator"]["median_error"] == pytest.approx(0.0 if probes else 1.0)
        assert told["aiconfigurator"]["coverage_80"] is None
        assert 0.0 <= told["blend"]["coverage_80"] <= 1.0


def test_what_the_other_estimator_does_not_answer_is_left_out(tmp_path, monkeypatch):
    points = read_points(written(tmp_path / "points.csv", *({"id": f"a-{at}"} for at in range(4))))
    monkeypatch.setattr(planner_blend, "_theirs", lambda _point, _book: 0.0)
    assert planner_blend.compared(points, fitted(), 1)["probes_1"]["blend"]["points"] == 0
