"""Models, channels and advisories in the console: papers in words, a person's word on bytes, deployments and load."""

from __future__ import annotations

import html
import json
import re

import msgspec
import pytest

import freehold.evals.tables  # noqa: F401  all tables must be known before they are made
from freehold.assurance.errata import csaf
from freehold.assurance.errata.types import Advisory, Affected
from freehold.registry.artefacts import Store
from freehold.serving.certified import keep
from freehold.serving.wanted import SEEN, STANDING, Seen, Standing, listed
from tests.registry.test_admission import looked
from tests.server.test_errata import document
from tests.serving.test_tradeoff import cell
from tests.serving.tiny import admit_classifier

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture(autouse=True)
def gate(monkeypatch):
    """One that goes by words: what the real one finds is tested with it."""
    monkeypatch.setattr("freehold.settings.admission.gate", lambda: looked)


@pytest.fixture
def model(instance, tmp_path):
    return admit_classifier(Store(instance.home / "store", instance.identity), tmp_path)


@pytest.fixture
def odd(client, tmp_path):
    """A model that waits for a person."""
    made = tmp_path / "Odd"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"odd")
    (made / "README.md").write_text("---\nlicense: mit\n---\n")
    told = client.post("/api/models", json={"source": str(made), "kind": "chat"})
    assert told.json()["error"]["code"] == "FH-ART-004", told.text
    return "odd"


def text_of(page):
    """What people read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text)))


def stand(instance, **given):
    one = Standing(**{"name": "owned-tickets", "model": "tickets-1", "phase": "ready", **given})
    (instance.home / "run").mkdir(exist_ok=True)
    (instance.home / "run" / STANDING).write_bytes(msgspec.json.encode((one,)))


def test_an_empty_store_leads_to_the_first_model(signed_in):
    said = text_of(signed_in.get("/models"))
    assert "No model yet" in said and "freehold models fetch" in said
    assert "Let a model in" in said


def test_models_are_listed_with_papers_deployments_and_load(signed_in, instance, model):
    stand(instance, phase="failed", reason="bytes are not what is signed")
    page = signed_in.get("/models")
    said = text_of(page)
    assert 'href="/console/models/tickets-1"' in page.text
    assert "owned-tickets failed" in said and "bytes are not what is signed" in said
    assert "Deployments and their load" in said


def test_one_model_shows_its_papers_lineage_files_and_licence(signed_in, model):
    page = signed_in.get("/models/tickets-1")
    assert page.status_code == 200
    said = text_of(page)
    assert model.files[0].sha256 in said and "recipe classifier" in said
    for words in ("Licence", "Papers", "Lineage", "Advisories", "Served as", "Nobody serves it."):
        assert words in said, words
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))


def test_every_byte_is_verified_and_a_changed_one_is_told(signed_in, instance, model):
    good = signed_in.send("/models/tickets-1/verify", page="/models/tickets-1")
    assert "every byte match" in text_of(good)
    blob = Store(instance.home / "store", instance.identity).blob(model.files[0].sha256)
    blob.chmod(0o600)
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(bytes(data))
    bad = signed_in.send("/models/tickets-1/verify", page="/models/tickets-1")
    assert "not what it says" in text_of(bad) and 'role="alert"' in bad.text


def test_a_model_is_deployed_and_undeployed_by_forms(signed_in, instance, model):
    told = signed_in.send(
        "/models/tickets-1/deploy", {"target": "owned-tickets", "threads": "2"}, page="/models/tickets-1"
    )
    assert "owned-tickets is starting" in text_of(told)
    wish, _ = listed(instance.home)["owned-tickets"]
    assert (wish.model, wish.threads) == ("tickets-1", 2)
    stand(instance)
    told = signed_in.send("/models/deployments/owned-tickets/undeploy", page="/models")
    assert told.status_code == 200 and listed(instance.home) == {}


def test_what_cannot_be_deployed_says_why_on_the_models_page(signed_in, instance, model):
    told = signed_in.send("/models/tickets-1/deploy", {"target": "rented"}, page="/models/tickets-1")
    assert told.status_code == 400 and "cannot be a deployment" in told.text
    told = signed_in.send("/models/tickets-1/deploy", {"target": "owned-x", "slots": "many"}, page="/models/tickets-1")
    assert told.status_code == 400 and listed(instance.home) == {}


def test_what_waits_is_vouched_for_with_its_reasons_before_ones_eyes(signed_in, odd):
    said = text_of(signed_in.get("/models"))
    assert "Waiting for a person" in said and odd in said and "I vouch for these bytes" in said
    told = signed_in.send(f"/models/{odd}/review", {"days": "30"}, page="/models")
    assert told.status_code == 200, told.text
    assert "You vouch for odd until" in text_of(told) and "vouched for until" in text_of(told)
    assert "Waiting for a person" not in text_of(signed_in.get("/models"))


def test_what_waits_is_refused(signed_in, client, odd):
    told = signed_in.send(f"/models/{odd}/refuse", page="/models")
    assert "was let go" in text_of(told)
    assert client.get("/api/models/held").json() == [] == client.get("/api/models").json()


def test_a_model_is_let_in_by_the_form_or_why_not_is_told(signed_in, client, tmp_path):
    told = signed_in.send("/models", {"source": "relative/path"}, page="/models")
    assert told.status_code == 400 and "no absolute path" in told.text and 'value="relative/path"' in told.text
    made = tmp_path / "Fine"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"a": 1}))
    told = signed_in.send("/models", {"source": str(made), "kind": "prompt", "licence": "MIT"}, page="/models")
    assert told.status_code < 500
    assert "fine" in {one["name"] for one in client.get("/api/models").json()} or "trouble" in told.text


def test_a_model_is_removed_unless_it_is_served(signed_in, instance, client, model):
    stand(instance)
    told = signed_in.send("/models/tickets-1/remove", page="/models/tickets-1")
    assert told.status_code == 409 and "is served as" in told.text
    (instance.home / "run" / STANDING).unlink()
    told = signed_in.send("/models/tickets-1/remove", page="/models/tickets-1")
    assert "are gone" in text_of(told) and client.get("/api/models").json() == []


def test_those_who_look_see_papers_and_no_form(browser_of, instance, model, odd):
    eyes = browser_of("auditor")
    for path in ("/models", "/models/tickets-1", "/channels", "/errata"):
        page = eyes.get(path)
        assert page.status_code == 200
        forms = re.findall(r'<form method="post" action="([^"]+)"', page.text)
        assert [one for one in forms if not one.endswith(("/theme", "/sign-out", "/verify"))] == []
    assert eyes.send("/models/tickets-1/remove", page="/models/tickets-1").status_code == 403
    assert eyes.send(f"/models/{odd}/review", {"days": "7"}, page="/models").status_code == 403


def test_finance_may_not_look_at_models(browser_of):
    assert "Not for your role" in browser_of("finance").get("/models").text


def test_forms_need_the_word_of_their_session(signed_in, client, model):
    for path in ("/models", "/models/tickets-1/remove", "/models/tickets-1/deploy", "/errata", "/channels"):
        assert signed_in.client.post("/console" + path, data={"target": "owned-x"}).status_code == 403
    assert len(client.get("/api/models").json()) == 1


def test_hostile_words_of_a_model_are_never_markup(signed_in, client, tmp_path):
    made = tmp_path / "hostile"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"odd")
    (made / "README.md").write_text(f"---\nlicense: '{HOSTILE}'\n---\n{HOSTILE}")
    client.post("/api/models", json={"source": str(made), "kind": "chat", "licence": HOSTILE})
    page = signed_in.get("/models")
    assert "hostile" in page.text
    assert "<script>alert" not in page.text and "<img src=x" not in page.text


def test_a_model_is_brought_into_a_channel_and_goes_on_by_a_persons_word(signed_in, client, model):
    assert "Nothing stands in a channel" in text_of(signed_in.get("/channels"))
    told = signed_in.send("/channels", {"release": "tickets-1", "name": "tickets"}, page="/channels")
    assert told.status_code >= 400 and "the gate has not looked at it" in text_of(told), told.text
    told = signed_in.send("/channels", {"release": "tickets-1", "name": "tickets", "word": "seen"}, page="/channels")
    assert told.status_code == 200, told.text
    assert "tickets in candidate" in text_of(told)
    for verb in ("freeze", "thaw", "pin", "unpin", "promote"):
        told = signed_in.send("/channels/candidate/tickets", {"verb": verb, "word": "seen"}, page="/channels")
        assert told.status_code == 200, (verb, told.text)
    stands = {one["stage"]: [each["name"] for each in one["entries"]] for one in client.get("/api/channels").json()}
    assert stands["stable"] == ["tickets"]
    told = signed_in.send("/channels/stable/tickets", {"verb": "back", "word": ""}, page="/channels")
    assert told.status_code >= 400 and "trouble" in told.text
    assert "stable as tickets" in text_of(signed_in.get("/models/tickets-1"))


def test_advisories_tell_what_is_here_and_one_is_opened_up(signed_in):
    said = text_of(signed_in.get("/errata"))
    assert "engine llama.cpp" in said and "patched" in said and "Every advisory known here" in said
    one = text_of(signed_in.get("/errata/CVE-2026-21869"))
    assert "n_discard" in one and "Virtual patch" in one and "engine llama.cpp" in one
    assert signed_in.get("/errata/none").status_code == 404


def test_a_document_is_taken_in_by_the_form(signed_in):
    told = signed_in.send("/errata", {"name": "a.json", "content": document()}, page="/errata")
    said = text_of(told)
    assert "1 taken in, signed by nobody known" in said and "target rented" in said
    told = signed_in.send("/errata", {"name": "b.json", "content": HOSTILE}, page="/errata")
    assert told.status_code in {400, 422}
    assert "<script>alert" not in told.text and "&lt;script&gt;" in told.text


def test_pages_have_twins_and_the_bill_of_materials_is_handed_on(signed_in, model):
    assert signed_in.twin("/models/tickets-1")["asked"]["/api/models/tickets-1"]["name"] == "tickets-1"
    told = signed_in.get("/models/tickets-1/bom")
    assert told.json()["bomFormat"] == "CycloneDX" and "attachment" in told.headers["content-disposition"]
    assert signed_in.twin("/errata")["cli"][0] == "freehold errata check"


@pytest.mark.parametrize(
    "path", ["/models", "/models/tickets-1", "/models/tickets-1?inspect=yes", "/channels", "/errata"]
)
def test_nothing_of_a_page_needs_inline_script_or_style(signed_in, model, path):
    page = signed_in.get(path)
    assert page.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:", page.text)


def test_engines_tell_their_load_and_advisories_find_models_along_their_lineage(signed_in, instance, client, model):
    one = Seen(
        name="big", kind="vllm", address="http://127.0.0.1:9", started_here=False, running=3.0,
        standings=(Standing(name="owned-big", model="tickets-1", phase="ready"),),
    )  # fmt: skip
    (instance.home / "run").mkdir(exist_ok=True)
    (instance.home / "run" / SEEN).write_bytes(msgspec.json.encode((one,)))
    about = Affected(digests=(model.files[0].sha256,))
    bad = Advisory(id="FHSA-2026-0009", subject="model", title="says odd things", kind="backdoor", affected=(about,))
    text = json.dumps(csaf.document(bad, "2026-11-23T00:00:00Z"))
    assert client.post("/api/errata/documents", json={"name": "b.json", "content": text}).status_code == 200
    said = text_of(signed_in.get("/models"))
    assert "big vllm runs elsewhere" in said and "not told" in said
    assert "FHSA-2026-0009 affected" in said
    assert "FHSA-2026-0009" in text_of(signed_in.get("/models/tickets-1"))
    assert "says odd things" in text_of(signed_in.get("/errata"))
    assert "tickets-1" in text_of(signed_in.get("/errata/FHSA-2026-0009"))


def test_what_was_measured_stands_at_its_model_with_its_picture(signed_in, instance, model):
    found = msgspec.structs.replace(cell(), model="tickets-1")
    keep(instance.home, found, instance.identity)
    assert "#best" in signed_in.get("/models").text
    page = signed_in.get("/models/tickets-1")
    assert "How it is best served here" in text_of(page) and "chosen" in text_of(page)
    picture = re.search(r'<img class="drawn" src="/console([^"]+)"', page.text)[1]
    told = signed_in.get(picture)
    assert told.headers["content-type"].startswith("image/svg") and "<svg" in told.text


def test_what_cannot_be_measured_says_why(signed_in, model):
    told = signed_in.send("/models/tickets-1/optimise", {"types": "Q4_0, Q8_0"}, page="/models/tickets-1")
    assert told.status_code >= 400 and "no chat model in GGUF" in told.text
