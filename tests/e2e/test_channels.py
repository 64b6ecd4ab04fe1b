"""A deployment follows a channel by commands: callers get the new release, and after `back` the old one again."""

from __future__ import annotations

from freehold.core.crypto import Identity
from freehold.identity.service import service_key
from freehold.registry.artefacts import Store
from tests.e2e.instance import until
from tests.serving.tiny import admit_classifier

CONFIG = """\
[routes.main]
targets = ["gpt"]
"""
NAME = "owned-tickets"


def test_callers_get_what_stands_in_stable_there_and_back(instance, tmp_path):
    store = Store(instance.home / "store", Identity.load(instance.home / "identity.key"))
    key = service_key(instance.home)

    def said():
        body = {"model": f"target:{NAME}", "messages": [{"role": "user", "content": "charged twice"}]}
        got = instance.ask("/v1/chat/completions", body, {"x-freehold-label": "restricted:GDPR"}, key)
        return got.json["choices"][0]["message"]["content"] if got.status == 200 else ""

    def promote(word):
        instance.freehold(
            "channels", "promote", "tickets", "--to", "candidate", "--release", "tickets-1", "--word", word
        )
        return instance.freehold("channels", "promote", "tickets", "--to", "stable", "--word", word)

    admit_classifier(store, tmp_path)
    first = promote("measured")
    instance.freehold("models", "deploy", "tickets@stable", "--target", NAME)
    until(lambda: said() == "billing", "the first release answers")
    admit_classifier(store, tmp_path, texts={"money": "charged twice", "rest": "password"})
    assert promote("measured too")["targets"] == [NAME]
    until(lambda: said() == "money", "the second release answers")
    gone = instance.freehold("channels", "back", "tickets", "--word", "the first was better")
    assert gone["entry"]["release"] == first["entry"]["release"]
    until(lambda: said() == "billing", "the first release answers again")
    shown = instance.freehold("channels", "show", "tickets")
    assert set(shown) == {"candidate", "stable"}

    rules = tmp_path / "rules.toml"
    rules.write_bytes(b"[guards.strict]\r\n")
    instance.freehold(
        "channels", "promote", "house", "--to", "candidate", "--file", str(rules), "--word", "written by us"
    )
    out = tmp_path / "out.toml"
    instance.freehold("channels", "write", "house", "--in", "candidate", "--out", str(out))
    assert out.read_bytes() == rules.read_bytes()
