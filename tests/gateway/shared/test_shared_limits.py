"""One limit a minute, several gateways: what they let through together is what one would."""

from __future__ import annotations

import time

from tests.gateway import pieces as p
from tests.gateway.shared.replicas import ask, replicas


def test_two_gateways_let_through_together_what_one_would(tmp_path, valkey, fake_openai) -> None:
    keys = p.keys(p.principal(requests_per_minute=30))
    with replicas(tmp_path, valkey.url, fake_openai, keys) as (first, second):
        began = time.monotonic()
        one = [ask(first)[0] for _ in range(20)]
        assert one == [200] * 20, "more than half is there for who comes first"
        other = [ask(second)[0] for _ in range(30)]
        most = 30 * (1 + (time.monotonic() - began) / 60)
        assert 28 <= (one + other).count(200) <= most
        status, headers, _ = ask(second)
        assert status == 429 and int(headers["retry-after"]) >= 1
