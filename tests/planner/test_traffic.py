from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.db import reading
from freehold.ledger.writer import load_once
from freehold.planner.errors import BadTrace
from freehold.planner.store import from_ledger, from_records
from freehold.planner.tracefiles import read_trace, spread
from freehold.planner.traffic import Arrivals, Columns, Rates, arrivals
from tests.ledger.sample import START, Home, closed, opened, refused

SHARED = Path(__file__).parents[3] / "shared" / "data" / "traces"
LENGTHS = "t_s,field,mean,p10,p25,p50,p75,p90,p95,p99\n0,input_tokens,160,40,45,50,60,400,430,1500\n"
LENGTHS += "0,output_tokens,25,1,1,4,40,80,120,180\n"


def written(folder: Path, text: str | bytes, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_arrivals_are_read_sorted_from_zero_on(tmp_path):
    text = "t_s,input_tokens,output_tokens,cached_tokens,workflow\n7.5,10,2,4,b\n5.0,30,1,0,a\n"
    found = read_trace(written(tmp_path, gzip.compress(text.encode())))
    assert isinstance(found, Arrivals)
    assert found.t.tolist() == [0.0, 2.5] and found.input.tolist() == [30, 10] and found.cached.tolist() == [0, 4]
    assert found.workflows == ("a", "b") and found.of("b").input_tokens == 10
    assert found.of("b").span_seconds == found.span_seconds


def test_times_may_be_dates(tmp_path):
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9,396,9\n"
    found = read_trace(written(tmp_path, text))
    assert isinstance(found, Arrivals) and found.begins_at > 1.7e9
    assert found.t[1] == pytest.approx(4.21941) and found.input.tolist() == [374, 396]


def test_lines_with_prefix_hashes_are_read(tmp_path):
    text = '{"timestamp": 0, "input_length": 1030, "output_length": 5, "hash_ids": [1, 2, 3]}\n'
    text += '{"timestamp": 500, "input_length": 600, "output_length": 6, "hash_ids": [1, 9]}\n'
    found = read_trace(written(tmp_path, text))
    assert isinstance(found, Arrivals) and found.blocks is not None
    assert found.t.tolist() == [0.0, 0.5] and found.blocks.of(1) == [1, 9]
    assert found.take(np.array([1])).blocks.of(0) == [1, 9]


def test_rates_take_their_lengths_from_the_file_beside_them(tmp_path):
    written(tmp_path, LENGTHS, "x_lengths_6h.csv")
    found = read_trace(written(tmp_path, "t_s,rps_total\n0,2.0\n600,4.0\n", "x_rate_10min.csv"))
    assert isinstance(found, Rates)
    assert found.requests == 3600 and found.span_seconds == 1200.0
    assert found.input_tokens / found.requests == pytest.approx(160, rel=0.05)


@pytest.mark.parametrize(
    ("text", "place", "field"),
    [
        ("", "empty", "t_s"),
        ("t_s,input_tokens,output_tokens\n", "no request", "t_s"),
        ("t_s,input_tokens\n0,1\n", "line 1", "output_tokens"),
        ("t_s,input_tokens,output_tokens\n0,1,1\n1,-5,1\n", "line 3", "input_tokens"),
        ("t_s,input_tokens,output_tokens\n0,1,1.5\n", "line 2", "output_tokens"),
        ("t_s,input_tokens,output_tokens\nsoon,1,1\n", "line 2", "t_s"),
        ("t_s,input_tokens,output_tokens\nnan,1,1\n", "line 2", "t_s"),
        ("t_s,input_tokens,output_tokens\n0,1\n", "line 2", "output_tokens"),
        ("t_s,input_tokens,output_tokens\n0,99999999999,1\n", "line 2", "input_tokens"),
        ("t_s,input_tokens,output_tokens,cached_tokens\n0,5,1,6\n", "line 2", "cached_tokens"),
        ("t_s,rps_total\n0,5\n", "how long", "lengths"),
        ('{"timestamp": 0, "input_length": -1, "output_length": 5}\n', "line 1", "input_length"),
        ('{"timestamp": 0, "input_length": "x"}\n', "line 1", "input_length"),
        (b"\xff\xfe\x00", "UTF-16", "trace"),
    ],
)
def test_a_bad_file_is_refused_with_its_row_and_field(tmp_path, text, place, field):
    with pytest.raises(BadTrace) as caught:
        read_trace(written(tmp_path, text))
    assert place in caught.value.message and caught.value.param == field


@pytest.mark.parametrize(
    ("rate", "lengths", "place"),
    [
        ("t_s,rps_total\n0,5\n600,-1\n", LENGTHS, "line 3"),
        ("t_s,rps_total\n0,5\n600,1\n900,1\n", LENGTHS, "line 4"),
        ("t_s,rps_total\n0,0\n600,0\n", LENGTHS, "no request"),
        ("t_s,rps_total\n0,5\n", LENGTHS.replace("160,40,45", "160,50,45"), "line 2"),
        ("t_s,rps_total\n0,5\n", LENGTHS.split("0,output")[0], "each period"),
    ],
)
def test_bad_rates_and_lengths_are_refused(tmp_path, rate, lengths, place):
    with pytest.raises(BadTrace, match=place):
        read_trace(written(tmp_path, rate), written(tmp_path, lengths, "lengths.csv"))


def test_a_file_that_is_not_there_or_cut_off_is_told(tmp_path):
    with pytest.raises(BadTrace, match="No such file"):
        read_trace(tmp_path / "nowhere.csv")
    whole = gzip.compress(b"t_s,input_tokens,output_tokens\n" + b"0,1,1\n" * 1000)
    with pytest.raises(BadTrace, match="cut off"):
        read_trace(written(tmp_path, whole[:-20]))


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
def test_no_file_does_anything_but_read_or_be_refused(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("fuzz"), content)
    with suppress(BadTrace):
        assert read_trace(path).requests > 0


def test_lengths_have_the_quantiles_they_were_told():
    told = {"mean": 160, "p10": 40, "p25": 45, "p50": 50, "p75": 60, "p90": 400, "p95": 430, "p99": 1500}
    found = spread(told, "here")
    for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("p95", 0.95)):
        assert np.quantile(found, share) == pytest.approx(told[name], rel=0.05)
    assert found.mean() == pytest.approx(160, rel=0.03)


def test_columns_of_other_origin_are_checked_too():
    with pytest.raises(BadTrace, match=r"row 2: output_tokens is -1"):
        arrivals(Columns(t=[0.0, 1.0], input=[1, 1], output=[1, -1]), "log")
    with pytest.raises(BadTrace, match=r"row 1: 3 cached tokens of 2"):
        arrivals(Columns(t=[0.0], input=[2], output=[1], cached=[3]), "log")
    with pytest.raises(BadTrace, match="no workflow 'x'"):
        arrivals(Columns(t=[0.0], input=[2], output=[1], workflow=["y"]), "log").of("x")


def test_the_digest_changes_with_any_column():
    base = arrivals(Columns(t=[0.0, 1.0], input=[1, 2], output=[3, 4]), "log")
    other = arrivals(Columns(t=[0.0, 1.0], input=[1, 2], output=[3, 5]), "log")
    assert base.digest() == base.take(np.arange(2)).digest() != other.digest()


def test_the_ledger_gives_the_calls_that_went_out(tmp_path):
    home = Home(tmp_path / "home")
    try:
        home.begin("e1")
        home.write("e1", refused(0))
        for number in range(1, 21):
            home.write("e1", opened(number), closed(number))
        load_once(home.path, home.engine, home.keys)
        with reading(home.engine) as connection:
            found = from_ledger(connection)
            assert found.requests == 20 and found.input.tolist() == [1000] * 20 and found.cached.tolist() == [200] * 20
            assert found.t[1] - found.t[0] == pytest.approx(0.01)
            assert found.begins_at == pytest.approx(START + 0.01)
            assert found.workflows == ("w0", "w1", "w2", "w3", "w4")
            assert from_ledger(connection, workflow="w3").requests == 4
            assert from_ledger(connection, until=START + 0.105).requests == 10
            with pytest.raises(BadTrace, match="no call"):
                from_ledger(connection, since=START + 999.0)
            with pytest.raises(BadTrace, match="no call"):
                from_records(connection)
    finally:
        home.close()


@pytest.mark.parametrize("name", ["azure2023_code.csv.gz", "mooncake_conversation.jsonl.gz"])
def test_public_traces_are_read(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{name} is not here")
    found = read_trace(SHARED / name)
    assert found.requests > 8000 and 3000 < found.span_seconds < 4000
