"""A whole instance tells of its calls: figures to a scrape, spans to a collector, a caller's trace with its call."""

from __future__ import annotations

from tests.e2e.instance import filled, http, until
from tests.fakes.fake_collector import FakeCollector, attributes

CONFIG = """\
[routes.gpt]
targets = ["gpt"]
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
MARK = "patient-4711-marker"


def test_a_call_is_told_to_both_and_its_content_to_neither(instance, fakes):
    with FakeCollector() as collector:
        told = f'{CONFIG}[telemetry]\notlp = "{collector.address}"\n'
        instance.write(filled(told, fakes, owned=False))
        key = instance.make_key("caller")

        def heard():
            headers = {"traceparent": f"00-{TRACE}-01"}
            got = instance.chat("gpt", MARK, key, headers=headers)
            assert instance.call(got.call)["call"]["trace"] == TRACE
            return collector.spans()

        spans = until(heard, "the collector was told")
        root = next(one for one in spans if one["kind"] == 2)
        assert (root["traceId"], root["parentSpanId"]) == tuple(TRACE.split("-"))
        served = next(one for one in spans if one["kind"] == 3)
        assert attributes(served)["gen_ai.request.model"] == "gpt-fake"
        assert MARK not in str(collector.bodies)
    assert TRACE[:32].encode() not in fakes.sent()
    scraper = instance.make_key("scraper", role="finance")
    scraped = http(f"{instance.admin}/metrics", None, {"authorization": f"Bearer {scraper}"})
    assert scraped.status == 200
    assert b'freehold_calls_total{route="gpt",target="gpt",owned="false",outcome="ok",own="false"}' in scraped.body
    assert b'freehold_process_ready{process="worker"} 1' in scraped.body
    assert MARK.encode() not in scraped.body
