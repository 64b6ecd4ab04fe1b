from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.workflows import errors
from freehold.workflows.formats.registry import FORMATS
from freehold.workflows.pieces import opened, pieces
from freehold.workflows.reading import Source
from tests.workflows.conftest import Instance
from tests.workflows.logs import AT, HALVES, call, importing, jsonl
from tests.workflows.test_import_secrets import WITH_KEYS
from tests.workflows.test_import_variants import TOOLS, VARIANTS

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([AT, "llm", "GENERATION", "assistant", "[{}]", '{"messages": []}']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "messages",
                        "role",
                        "content",
                        "request",
                        "response",
                        "body",
                        "input",
                        "output",
                        "inputs",
                        "outputs",
                        "choices",
                    ),
                    *(
                        "message",
                        "tool_calls",
                        "function",
                        "arguments",
                        "usage",
                        "metadata",
                        "model",
                        "id",
                        "parts",
                        "type",
                        "tools",
                    ),
                    *(
                        "attributes",
                        "key",
                        "value",
                        "events",
                        "name",
                        "text",
                        "data",
                        "kwargs",
                        "generations",
                        "headers",
                        "status",
                    ),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
SEEDS = st.sampled_from([*VARIANTS.values(), *TOOLS.values(), *WITH_KEYS.values(), *HALVES])


@st.composite
def mangled(draw):
    """A line of a known form with any of its members replaced or lost."""
    one = json.loads(json.dumps(draw(SEEDS)))
    at = one
    for _ in range(draw(st.integers(0, 3))):
        inner = [
            each for each in (at.values() if isinstance(at, dict) else at) if isinstance(each, dict | list) and each
        ]
        if not inner:
            break
        at = draw(st.sampled_from(inner))
    name = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
    if draw(st.booleans()):
        at[name] = draw(JSON)
    else:
        del at[name]
    return one


@given(st.lists(mangled(), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_whatever_stands_in_a_line_it_is_a_call_or_a_reject(shared, found):
    data = jsonl(call(10**6), *found, call(10**6 + 1)).replace(b"NaN", b"1").replace(b"Infinity", b"1")
    with tempfile.NamedTemporaryFile(dir=shared.path) as file:
        file.write(data)
        file.flush()
        report = importing(shared, Path(file.name))
    assert not report.files[0].trouble
    assert report.new + report.known >= 2
    if report.rejects:
        Path(report.rejects).unlink()


@given(st.binary(max_size=200), st.sampled_from([b"", b"[", b'{"data":[', b"{", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_bytes_are_read_or_refused(shared, data, start):
    with tempfile.NamedTemporaryFile(dir=shared.path) as file:
        file.write(start + data)
        file.flush()
        with contextlib.suppress(errors.NotALog):
            list(map(opened, pieces(Source(Path(file.name)))))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = Instance(tmp_path_factory.mktemp("shared"))
    yield made
    made.engine.dispose()


@given(mangled())
def test_reading_an_element_raises_nothing_else(one):
    allowed = (
        errors.NotACall,
        errors.Unreadable,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
    )
    for form in FORMATS:
        if form.knows(one):
            with contextlib.suppress(*allowed):
                list(form.read(one, {}))
