"""What every engine must do, held against the embedded one and against fakes of the others."""

from __future__ import annotations

import asyncio

import pytest

from freehold.core.errors import Unavailable
from freehold.serving.engines.control import Control, read_answer, read_load
from freehold.serving.engines.registry import DRIVERS, driver
from freehold.serving.engines.types import Address, Launch, Load
from tests.fakes.engine_sglang import FakeSglang
from tests.fakes.engine_vllm import FakeVllm

FAKES = {"sglang": FakeSglang, "vllm": FakeVllm}


@pytest.fixture(params=["sglang", "vllm"])
def fake(request):
    with FAKES[request.param]("base") as engine:
        yield request.param, engine


def control_of(kind, port, secret):
    return Control(driver(kind), Address(scheme="http", host="127.0.0.1", port=port, secret=secret))


@pytest.fixture(params=["embedded", "sglang", "vllm"])
def served(request):
    """A control and the name of its model, for each kind of engine."""
    if request.param == "embedded":
        engine = request.getfixturevalue("chat_engine")
        yield control_of("embedded", engine.deployment.port, engine.secret), engine.deployment.model
        return
    with FAKES[request.param]("base") as engine:
        yield control_of(request.param, engine.port, engine.key), "base"


def test_every_engine_says_that_it_is_well_what_it_serves_and_how_busy_it_is(served):
    control, model = served

    async def work():
        assert await control.healthy()
        assert model in await control.models()
        await control.warm(model)
        assert await control.load_of() == Load(0.0, 0.0)

    asyncio.run(work())


@pytest.mark.parametrize("kind", [one.kind for one in DRIVERS])
def test_an_engine_that_is_not_there_is_not_well_and_says_so(kind):
    from freehold.core.ports import free_port

    control = control_of(kind, free_port(), "x")

    async def work():
        assert not await control.healthy()
        assert await control.load_of() is None
        with pytest.raises(Unavailable, match="does not answer"):
            await control.models()

    asyncio.run(work())


def test_adapters_come_and_go_at_run_time(fake, tmp_path):
    kind, engine = fake
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"x")
    control = control_of(kind, engine.port, engine.key)

    async def work():
        await control.load("a", str(tmp_path))
        await control.load("a", str(tmp_path))  # a try that was cut may have done it
        assert await control.models() == ("base", "a")
        await control.warm("a")
        await control.unload("a")
        await control.unload("a")
        assert await control.models() == ("base",)
        with pytest.raises(Unavailable, match=r"does not load b: 40"):
            await control.load("b", str(tmp_path / "nowhere"))

    asyncio.run(work())


def test_the_embedded_engine_says_that_it_loads_adapters_at_its_start_only(tmp_path):
    with pytest.raises(Unavailable, match="only when it starts"):
        asyncio.run(control_of("embedded", 1, "").load("a", str(tmp_path)))


def test_no_secret_stands_in_a_command_line_or_an_address():
    one = Launch(
        command=("x",), arguments=("--port", "1"), weights="/w", served="m", port=9, secret="SECRET", adapters=True,
        secret_file="/private/file",
    )  # fmt: skip
    for each in DRIVERS:
        if each.launch is not None:
            made = each.launch(one)
            assert not [word for word in made.argv if "SECRET" in word]
            assert "127.0.0.1" in made.argv
            assert made.argv[-2:] == ("--port", "1")  # a person's come last, so theirs hold
            assert "--enable-lora" in made.argv
    assert "SECRET" not in repr(Address(scheme="http", host="h", port=1, secret="SECRET"))


def test_gauges_are_summed_over_their_series_and_others_are_not_taken_for_them():
    text = (
        'vllm:num_requests_running{engine="0"} 2.0\nvllm:num_requests_running{engine="1"} 3\n'
        'vllm:num_requests_running_total{engine="1"} 99\nvllm:num_requests_waiting 1\n'
    )
    assert read_load(driver("vllm"), text) == Load(5.0, 1.0)
    assert read_load(driver("sglang"), text) is None


@pytest.mark.parametrize(
    ("got", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\n\r\n", b"hi!"),
    ],
)
def test_answers_are_read_whole_whether_chunked_or_not(got, body):
    assert read_answer(got) == (200, body)


@pytest.mark.parametrize("got", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_what_is_no_answer_is_an_error(got):
    with pytest.raises(OSError, match=r"HTTP|chunk"):
        read_answer(got)
