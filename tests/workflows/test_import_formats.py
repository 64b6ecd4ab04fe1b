"""Every form of log gives the canonical calls, but for what the form itself cannot carry, which is said here."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from pathlib import Path

import pytest

from freehold.workflows.drafts import Options
from freehold.workflows.formats.registry import FORMATS
from freehold.workflows.imports import Into, import_files
from freehold.workflows.pieces import opened, pieces
from freehold.workflows.reading import Source
from freehold.workflows.records import UNTIMED
from freehold.workflows.store import Which

FIXTURES = Path(__file__).parents[3] / "shared" / "data" / "workflows" / "formats"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no fixtures of log formats in {FIXTURES}")

NOTHING = frozenset()

# Fields of a call that a form does not have, or has in another way.
LACKS = {
    ("openai_batch_input.jsonl", "openai_batch_output.jsonl"): {"milliseconds", "latency", "app"},
    ("anthropic_batch_requests.jsonl", "anthropic_batch_results.jsonl"): {
        *("time", "latency", "app", "max_tokens", "response_format", "call_ids"),
    },
    ("openai_stored_completions.json", "openai_stored_messages.json"): {
        *("milliseconds", "latency", "max_tokens", "temperature"),
    },
    ("canonical.jsonl",): {"app"},
    ("helicone_export.jsonl",): NOTHING,
    ("langfuse_observations.jsonl",): NOTHING,
    ("langsmith_runs.jsonl",): NOTHING,
    ("litellm_spend_logs.json",): NOTHING,
    ("nvidia_flywheel.jsonl",): {"milliseconds", "latency"},
    ("openai_finetune.jsonl",): {
        *("time", "latency", "app", "model", "temperature", "max_tokens", "response_format", "usage"),
    },
    ("openpipe_export.jsonl",): {"time", "latency", "answering_model", "usage"},
    ("otlp_genai.json",): NOTHING,
    ("phoenix_spans.jsonl",): {"app"},
    ("proxy.har",): {"app"},
}


def imported(instance, *paths, **options):
    into = Into(instance.path, instance.engine, instance.shelf, instance.sealer, 86400.0)
    numbers = itertools.count(1)
    new_id = next(numbers).to_bytes(8, "big") + len(list(instance.path.rglob("*"))).to_bytes(8, "big")
    return import_files([Path(one) for one in paths], into, Options(**options), new_id, lambda: 1_760_000_000.0)


def records(instance):
    return list(instance.shelf.records(Which()))


def comparable(request, response, lacks):
    request = {name: one for name, one in request.items() if name not in lacks}
    response = {name: response.get(name) for name in ("object", "model", "choices", "usage")}
    if "usage" in lacks:
        response["usage"] = None
    elif response["usage"]:
        response["usage"] = {name: one for name, one in response["usage"].items() if not name.endswith("_details")}
    if lacks & {"model", "answering_model"}:
        response["model"] = None
    text = json.dumps([request, response], sort_keys=True)
    if "call_ids" in lacks:
        for kind in ("call_", "toolu_"):
            text = text.replace(kind, "")
    return json.dumps(json.loads(text, parse_int=float))  # 0 and 0.0 ask for the same


@needs_fixtures
@pytest.mark.parametrize("files", LACKS, ids=lambda files: files[0].partition(".")[0])
@pytest.mark.parametrize("turned", [False, True], ids=["in-order", "turned"])
def test_a_form_gives_the_canonical_calls(instance, files, turned):
    lacks = LACKS[files]
    named = [FIXTURES / one for one in files]
    report = imported(instance, *(reversed(named) if turned else named), label="internal")
    assert (report.new, report.known, report.skipped, report.rejected) == (32, 0, 0, 0)

    canonical = [json.loads(line) for line in (FIXTURES / "canonical.jsonl").read_text().splitlines()]
    expected = {comparable(one["request"], one["response"], lacks): one for one in canonical}
    found = {comparable(json.loads(one.request), json.loads(one.response), lacks): one for one in records(instance)}
    assert set(found) == set(expected)
    for text, record in found.items():
        _check_times(record, expected[text], lacks)
        assert record.label == "internal"
        assert bool(record.app) == ("app" not in lacks)
        assert bool(record.model) == ("model" not in lacks)
        if "model" not in lacks:
            vendor = "anthropic-api" if record.source == "anthropic_batch" else "openai-api"
            assert record.vendor == vendor
        told = expected[text]["response"]["usage"]
        if "usage" in lacks:
            assert record.usage.estimated
        else:
            assert (record.usage.input, record.usage.output) == (told["prompt_tokens"], told["completion_tokens"])


def _check_times(record, canonical, lacks):
    at = datetime.fromisoformat(canonical["ts"]).timestamp()
    if "time" in lacks:
        assert record.at < UNTIMED
    elif "milliseconds" in lacks:
        assert record.at == int(at)
    else:
        assert abs(record.at - at) < 0.001
    assert int.from_bytes(record.id[:6], "big") == int(record.at * 1000)
    latency = canonical["latency_ms"]
    if "latency" in lacks:
        assert record.latency is None
    elif latency is not None:
        assert abs(record.latency * 1000 - latency) < 0.01


@needs_fixtures
def test_each_element_is_known_by_one_form_alone():
    for path in FIXTURES.iterdir():
        for piece in map(opened, pieces(Source(path))):
            for one, _ in piece.inside:
                assert len([form.name for form in FORMATS if form.knows(one)]) == 1, path.name


@needs_fixtures
def test_the_same_files_again_add_nothing(instance):
    files = sorted(FIXTURES.iterdir())
    first = imported(instance, *files)
    before = records(instance)
    again = imported(instance, *files)
    assert (first.new, again.new, again.known) == (14 * 32, 0, 14 * 32)
    assert records(instance) == before


@needs_fixtures
def test_everything_in_one_file_is_told_apart_line_by_line(instance, tmp_path):
    mixed = tmp_path / "mixed.jsonl"
    names = [name for files in LACKS for name in files if name.endswith(".jsonl")]
    mixed.write_text("".join((FIXTURES / name).read_text() for name in names))
    report = imported(instance, mixed)
    assert (report.new, report.rejected) == (10 * 32, 0)
    assert len(report.files[0].formats) == 10


def test_forms_are_sorted_and_named_once():
    names = [one.name for one in FORMATS]
    assert names == sorted(set(names))
