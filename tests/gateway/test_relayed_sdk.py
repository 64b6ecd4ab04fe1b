"""OpenAI's SDK against a gateway on real sockets: pictures, sound, moderations, text completions; rankings in bytes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from decimal import Decimal

import openai
import pytest

from freehold.ledger.meter import Price
from freehold.policy.types import Policy
from tests.fakes.fake_media import PICTURE, SOUND, SPENT, TEXT, FakeMedia
from tests.fakes.wire import Fault
from tests.gateway import pieces as p
from tests.gateway.guarded_house import WATCH
from tests.gateway.instance import Home, Instance, until

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
DIALECTS = (
    "openai_completions", "openai_image_edits", "openai_images", "openai_moderations", "openai_speech", "openai_transcriptions",
    "openai_translations", "rerank",
)  # fmt: skip
UNITS = (("character", "0.000015"), ("image", "0.04"), ("search", "0.002"), ("second", "0.0001"))
PRICE = Price(
    input=Decimal(0), units=tuple((name, Decimal(one)) for name, one in UNITS), source="test", as_of="2026-11-22"
)
WAV = (
    "sea.wav",
    b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(12) + (8000).to_bytes(4, "little") + bytes(15_968),
    "audio/wav",
)


@pytest.fixture(scope="module")
def vendor() -> Iterator[FakeMedia]:
    with FakeMedia() as one:
        yield one


@pytest.fixture(scope="module")
def instance(tmp_path_factory, vendor) -> Iterator[Instance]:
    target = p.target("media", vendor.port, model="media-fake", dialects=DIALECTS, price=PRICE, **p.LIMITS)
    routes = (p.route("media", "media", attempts=1), p.route("guarded", "media", attempts=1, guard="watch"))
    home = Home(tmp_path_factory.mktemp("media"), p.routes((target,), *routes), p.keys(), Policy(guards=(WATCH,)))
    with Instance(home, secret=vendor.key) as made:
        yield made


@pytest.fixture
def client(instance, vendor) -> Iterator[openai.OpenAI]:
    vendor.calm()
    http = openai.DefaultHttpxClient(verify=PLAIN)
    base = f"http://127.0.0.1:{instance.port}/v1"
    with openai.OpenAI(api_key=p.KEY, base_url=base, max_retries=0, http_client=http) as made:
        yield made


@pytest.fixture
def cost(instance):
    """What the last call cost, once it is written down."""
    before = len(instance.home.ends())
    return lambda: until(lambda: instance.home.ends()[before:])[-1].cost


ROUTES = pytest.mark.parametrize("route", ["media", "guarded"])


@ROUTES
def test_pictures(client, vendor, cost, route) -> None:
    got = client.images.generate(model=route, prompt="a grey sea", n=2)
    assert [one.b64_json for one in got.data] == [PICTURE] * 2 and got.usage.total_tokens == SPENT["total_tokens"]
    assert vendor.last.json["model"] == "media-fake" and cost() == Decimal("0.08")


@ROUTES
def test_a_picture_is_changed(client, vendor, cost, route) -> None:
    got = client.images.edit(model=route, image=("a.png", b"\x89PNG", "image/png"), prompt="a hat", n=2)
    assert [one.b64_json for one in got.data] == [PICTURE] * 2 and cost() == Decimal("0.08")
    assert vendor.last.path == "/v1/images/edits" and b"media-fake" in vendor.last.body


def test_a_stream_of_pictures(client, cost) -> None:
    kinds = [one.type for one in client.images.generate(model="media", prompt="x", stream=True, partial_images=1)]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"] and cost() == Decimal("0.04")


@ROUTES
def test_speech_comes_as_sound(client, cost, route) -> None:
    with client.audio.speech.with_streaming_response.create(model=route, voice="alloy", input="hello") as got:
        sound = b"".join(got.iter_bytes())
        assert got.headers["content-type"] == "audio/mpeg"
    assert sound == b"".join(SOUND) and cost() == 5 * Decimal("0.000015")


def test_sound_that_the_vendor_cuts_is_told_as_cut(client, vendor) -> None:
    vendor.fail(Fault("cut", after=3))
    with (
        pytest.raises(Exception, match=r"(?i)peer closed|incomplete"),
        client.audio.speech.with_streaming_response.create(model="media", voice="alloy", input="hello") as got,
    ):
        list(got.iter_bytes())


@ROUTES
def test_transcripts_in_every_form(client, vendor, cost, route) -> None:
    ask = client.audio.transcriptions.create
    assert ask(model=route, file=WAV, prompt="the sea").text == TEXT
    assert vendor.last.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert cost() == Decimal("0.0003")
    assert ask(model=route, file=WAV, response_format="verbose_json").duration == 2.5
    assert ask(model=route, file=WAV, response_format="text").strip() == TEXT


def test_a_transcript_as_it_is_heard(client) -> None:
    events = list(client.audio.transcriptions.create(model="media", file=WAV, stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].text == TEXT


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK's own
def test_a_translation(client, vendor) -> None:
    assert client.audio.translations.create(model="media", file=WAV).text == TEXT
    assert vendor.last.path == "/v1/audio/translations" and WAV[1] in vendor.last.body


@ROUTES
def test_moderations(client, route) -> None:
    assert client.moderations.create(model=route, input="fine").results[0].flagged is False


@ROUTES
@pytest.mark.parametrize("usage", [False, True])
def test_text_completions(client, route, usage) -> None:
    got = client.completions.create(model=route, prompt="once", max_tokens=9)
    assert got.choices[0].text == " " + TEXT and got.usage.completion_tokens == 6
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(client.completions.create(model=route, prompt="once", max_tokens=9, stream=True, **options))
    assert "".join(one.choices[0].text for one in chunks if one.choices) == " " + TEXT
    assert bool(chunks[-1].usage) == usage


@ROUTES
def test_a_ranking(instance, client, cost, route) -> None:
    body = json.dumps({"model": route, "query": "sea", "documents": ["a", "b"], "top_n": 2}).encode()
    got = instance.ask(p.request("/v2/rerank", body))
    assert [one["index"] for one in json.loads(got.body)["results"]] == [0, 1] and cost() == Decimal("0.002")


def test_errors_are_the_sdks_own(client, vendor) -> None:
    with pytest.raises(openai.BadRequestError, match="does not speak"):
        client.embeddings.create(model="media", input="x")
    vendor.fail(Fault("status", status=400))
    with pytest.raises(openai.BadRequestError, match="The fake was told to answer 400"):
        client.images.generate(model="media", prompt="x")
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="nowhere", file=WAV)
