"""Which variant is taken: never a coarser one on hope, never one outside the bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadSignature
from freehold.serving.certified import Cell, Flags, Slo, Speed, Variant, cell_id, cells, hardware_of, keep
from freehold.serving.tradeoff import choose, fastest, meets, picture

FLAGS = Flags(threads=2, slots=4, context=8192)


def speed(rate=50.0, latency=1.0, failed=0, calls=12, memory=10**8, flags=FLAGS):
    return Speed(
        flags=flags, concurrency=2, calls=calls, failed=failed, tokens_per_second=rate, latency=latency,
        memory_bytes=memory,
    )  # fmt: skip


def variant(name, size, quality=None, **more):
    return Variant(
        name=name, quantisation=name.upper(), sha256="0" * 64, size_bytes=size, speed=speed(**more), quality=quality
    )


def test_the_smallest_of_the_equally_good_is_taken():
    found = [variant("f16", 300, 0.95), variant("q8", 150, 0.945), variant("q4", 80, 0.89)]
    assert choose(found, Slo()).name == "q8"
    assert choose(found, Slo(), slack=0.1).name == "q4"


def test_without_grades_nothing_coarser_is_taken_on_hope():
    found = [variant("f16", 300), variant("q4", 80)]
    assert choose(found, Slo()).name == "f16"
    assert choose(found, Slo(quality=0.5)) is None


def test_what_is_outside_the_bounds_is_not_taken():
    found = [variant("f16", 300, 0.95, latency=3.0), variant("q4", 80, 0.9, latency=1.0)]
    assert choose(found, Slo(latency=2.0)).name == "q4"
    assert choose(found, Slo(latency=2.0, quality=0.93)) is None
    assert choose(found, Slo(tokens_per_second=51)) is None
    assert choose([variant("q4", 80, 0.9, failed=1)], Slo()) is None
    assert choose([variant("q4", 80, 0.9, calls=0)], Slo()) is None
    assert choose([], Slo()) is None


def test_flags_are_the_quickest_within_the_bounds_and_the_leaner_of_equals():
    slow, quick, lean = speed(40.0), speed(60.0, latency=2.0), speed(60.0, latency=2.0, memory=10**7)
    assert fastest([slow, quick, lean], Slo()) == lean
    assert fastest([slow, quick], Slo(latency=1.5)) == slow
    assert fastest([quick], Slo(latency=1.5)) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            variant,
            st.sampled_from(["a", "b", "c"]),
            st.integers(1, 500),
            st.none() | st.floats(0, 1),
            rate=st.floats(0, 100),
            latency=st.floats(0, 10),
            failed=st.integers(0, 1),
            calls=st.integers(0, 3),
        ),
        max_size=6,
    ),
    st.builds(Slo, latency=st.floats(0, 5), tokens_per_second=st.floats(0, 50), quality=st.floats(0, 1)),
)
def test_whatever_is_chosen_is_within_what_was_asked(found, slo):
    best = choose(found, slo)
    if best is not None:
        assert meets(best.speed, slo)
        assert best.speed.calls
        assert best.quality is None or best.quality >= slo.quality
        assert best.quality is not None or not slo.quality
    assert picture(found, best.name if best else "").endswith("</svg>\n")


def test_what_comes_from_outside_is_escaped_in_the_picture():
    assert "<script>" not in picture([variant("<script>", 10, 0.5)], "")


def cell(at="2026-11-23T00:00:00Z", **more):
    return Cell(
        id=cell_id("m", "here", at), model="m", base_sha256="0" * 64, engine="e", engine_version="1", hardware="here",
        at=at, workflow="", grader="", slo=Slo(), chosen="m", flags=FLAGS, variants=(variant("m", 5, 0.5),),
        tried=(speed(),), **more,
    )  # fmt: skip


def test_cells_are_signed_and_shown_newest_first(tmp_path):
    identity = Identity.load(tmp_path / "identity.key")
    for one in (cell(), cell("2026-11-24T00:00:00Z")):
        keep(tmp_path, one, identity)
    assert [one.at for one in cells(tmp_path, identity)] == ["2026-11-24T00:00:00Z", "2026-11-23T00:00:00Z"]
    with pytest.raises(BadSignature):
        cells(tmp_path, Identity.load(tmp_path / "another.key"))


@pytest.mark.parametrize(("old", "new"), [(b'"m"', b'"n"'), (b"0.5", b"0.6"), (b"{", b"[")])
def test_a_cell_that_was_changed_is_an_error(tmp_path, old, new):
    identity = Identity.load(tmp_path / "identity.key")
    path = keep(tmp_path, cell(), identity)
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(BadSignature, match=path.name):
        cells(tmp_path, identity)


def test_the_machine_is_told_in_words_as_far_as_it_tells_itself(tmp_path):
    (tmp_path / "cpu").write_text("processor : 0\nmodel name\t: Chip 9000\n")
    (tmp_path / "mem").write_text("MemTotal:       16777216 kB\n")
    assert hardware_of(8, tmp_path / "cpu", tmp_path / "mem") == "Chip 9000, 8 cores, 16 GiB"
    assert hardware_of(8, tmp_path / "none", tmp_path / "none").endswith("8 cores")
