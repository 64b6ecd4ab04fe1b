"""Doctor's advice: what counts is told with its fix, what nobody can tell is told, and quiet is said."""

from __future__ import annotations

from freehold.cli.advice import errata, lifecycle


def match(standing, what="engine x", fix="update to 2", via=()):
    return {
        "advisory": "CVE-1", "what": what, "standing": standing, "via": list(via), "reason": "version 1", "fix": fix
    }  # fmt: skip


def ending(state, **changes):
    plain = {"target": "t", "model": "m", "state": state, "ends_on": "2027-01-01", "days_left": 9, "routes": ["r"]}
    return {**plain, "workflows": [], **changes}


def test_what_is_affected_fails_and_what_is_patched_warns_each_with_its_fix():
    bad, held = errata([match("affected", via=("a", "b")), match("patched", fix="")])
    assert (bad[0], bad[1], bad[3]) == ("fail", "engine x", "update to 2")
    assert "CVE-1 by way of a < b: version 1" in bad[2]
    assert held[0] == "warn"
    assert "a virtual patch keeps it away" in held[2]
    assert held[3] == "freehold errata show CVE-1"


def test_unknown_is_not_clean_and_one_line_for_each_thing():
    (told,) = errata([match("unknown")] * 5 + [match("fixed")])
    assert told[0] == "warn"
    assert "and 2 more" in told[2]


def test_quiet_is_said():
    assert [one[0] for one in (*errata([match("not_affected")]), *lifecycle([ending("own"), ending("open")]))] == [
        "ok",
        "ok",
    ]


def test_an_end_ahead_warns_and_one_that_came_fails():
    ahead, over = lifecycle([ending("ending", workflows=["w"]), ending("ended", days_left=-3)])
    assert (ahead[0], ahead[3]) == ("warn", "freehold lifecycle move t")
    assert "9 days left" in ahead[2]
    assert "routes r lead to it" in ahead[2]
    assert (over[0], over[3]) == ("fail", "freehold lifecycle list")
