from __future__ import annotations

import json

from bench import guard


def test_the_bench_ends_with_one_line_of_json_and_tells_what_is_not_there(tmp_path, capsys):
    rows = [
        {
            "id": "a",
            "text": "mail jo@example.org",
            "label": 1,
            "source": "s",
            "lang": "en",
            "spans": [[5, 19, "EMAIL"]],
        },
        {"id": "b", "text": "version 10.1.2.3", "label": 0, "source": "s", "lang": "en", "spans": []},
        {"id": "c", "text": "bare 12345", "label": 1, "source": "s", "lang": "en", "spans": [[5, 10, "NL_BSN"]]},
    ]
    (tmp_path / "pii_own.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    kept = tmp_path / "rows.jsonl"
    assert guard.main(["--data", str(tmp_path), "--only", "pii", "--only", "streams", "--rows", str(kept)]) == 0
    told = capsys.readouterr().out
    figures = json.loads(told.strip().rpartition("\n")[2])
    assert (figures["pii_recall"], figures["pii_precision"], figures["pii_spans"]) == (0.5, 1.0, 2)
    assert figures["stream_equal"] is None
    assert "stream_*: no such file here" in told
    assert set(guard.KEYS) <= set(figures)
    found = {one["id"]: one["prediction"] for one in map(json.loads, kept.read_text().splitlines())}
    assert found == {"a": [[5, 19, "EMAIL"]], "b": [], "c": []}


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert guard.main(["--data", str(tmp_path / "nowhere")]) == 2
