"""The recipe `lora` on two synthetic tasks, one that labels and one that writes, judged on the engine that serves it.

    python -m bench.lora [--train 480] [--test 150] [--torch 40] [--task intents|invoices]

Takes minutes; smaller numbers take fewer. For each task: the base as it is, the base held to the answers' form, the
adapter in torch and the same adapter converted on the engine's 8-bit base; with intervals. Ends in one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from bench.classifier_quality import shown
from demo.company import intents, invoices
from freehold.core.crypto import Identity
from freehold.gateway.few_shot import parse
from freehold.grading.types import Answer
from freehold.moves.training import prompt
from freehold.moves.training.chat_text import messages_of
from freehold.moves.training.child import run_job
from freehold.moves.training.job import USES, Base, Job, Lesson, Recipe, prepare, read_progress, read_result
from freehold.moves.training.lora import ADAPTER
from freehold.policy.rights import Cleared, Facts, Rules, gate
from freehold.registry.artefacts import Manifest, Store
from freehold.registry.trained import Product, admit_trained
from freehold.serving.adapter_gguf import CONFIG, WEIGHTS
from freehold.serving.catalogue import admit
from freehold.serving.deployments import Deployment, command, place, secret_of
from freehold.serving.fetch import DEFAULT_CACHE

CHAT = "smollm2-135m-instruct"
MOST = 96
"""Tokens of an answer."""


def tasks(seed: int, count: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each task's name and its calls: request and right answer, made up by the demo's invented company."""
    from faker import Faker

    random = Random(seed)
    system = intents.system(later=False)
    yield "intents", [_call(system, *intents.example(random)) for _ in range(count)]
    faker = Faker("en_GB")
    faker.seed_instance(seed)
    yield "invoices", [_call(invoices.SYSTEM, *invoices.example(random, faker)) for _ in range(count)]


def _call(system: str, asked: str, answer: str) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
    request = {"model": "owned", "messages": messages, "temperature": 0, "max_tokens": MOST}
    return {"request": request, "answer": answer}


def form_of(name: str) -> dict[str, Any]:
    """What holds the base to the answers' form, where the engine is asked for it."""
    if name == "intents":
        return {"grammar": "root ::= " + " | ".join(json.dumps(one) for one in intents.INTENTS)}
    text = {"type": "string", "maxLength": 60}
    fields = dict.fromkeys(("supplier", "number", "date", "total"), text)
    schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "fields", "schema": schema}}}


def right(name: str, said: str, wanted: str) -> bool:
    """The very label; or all four fields, whatever the spaces between them."""
    if name == "intents":
        return said.strip() == wanted
    try:
        return bool(json.loads(said) == json.loads(wanted))
    except ValueError:
        return False


def lessons_of(calls: list[dict[str, Any]], recipe: Recipe) -> Cleared[Lesson]:
    """The calls through the rights gate; made up by a program, they are under nobody's terms."""
    lessons = [
        Lesson(f"{i:05}", float(i), json.dumps(one["request"]), Answer(one["answer"]), "synthetic")
        for i, one in enumerate(calls)
    ]
    facts = ((one, Facts(id=one.id, label="internal", maker="synthetic")) for one in lessons)
    return gate(facts, USES[recipe], Rules(), datetime.now(UTC).date()).cleared


def train(calls: list[dict[str, Any]], folder: Path, options: dict[str, Any], base: Base) -> tuple[Any, Path]:
    """Run the recipe as the worker does, telling its loss."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    prepare(folder, Job(recipe="lora", workflow="bench", base=base, options=options), lessons_of(calls, "lora"))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    argv = [
        "nice",
        "-n",
        "19",
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "freehold.moves.training.lora",
        "--job",
        str(folder),
    ]
    child = subprocess.Popen(argv, env=environment)
    told = 0
    while child.poll() is None:
        time.sleep(0.5)
        lines = read_progress(folder)
        if lines and lines[-1].step >= told + 10:
            told = lines[-1].step
            print(
                f"  step {told} of {lines[-1].of}: loss {lines[-1].loss:.3f} after {lines[-1].seconds:.0f} s",
                flush=True,
            )
    done = read_result(folder)
    if done is None:
        raise SystemExit("training ended without a result")
    return done, folder / "out"


@contextmanager
def serving(store: Store, identity: Identity, model: Manifest, folder: Path, threads: int) -> Iterator[Any]:
    """The engine with this model; gives a function that asks it."""
    shape = Deployment(
        name=f"owned-{model.kind}", kind=model.kind, model="", port=0, secret_path="",
        threads=threads, context=4096, slots=2, max_output=MOST,
    )  # fmt: skip
    one = place(folder / "run", model, shape)
    spec = command(one, store.root, identity, folder / "engine.log")
    with (folder / "engine.log").open("ab") as log:
        process = subprocess.Popen(spec.argv, env=dict(spec.env or ()), stdout=log, stderr=log)

    def post(path: str, body: Any) -> Any:
        headers = {"content-type": "application/json", "authorization": f"Bearer {secret_of(one)}"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{one.port}{path}", data, headers), timeout=300
        ) as answer:
            return json.loads(answer.read())

    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                post("/health", None)
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((folder / "engine.log").read_text()[-2000:]) from None
                time.sleep(0.1)
        yield lambda request: post("/v1/chat/completions", request)["choices"][0]["message"]["content"]
    finally:
        process.kill()
        process.wait()


def with_shots(calls: list[dict[str, Any]], rest: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The calls with the examples before them that the recipe `prompt` chooses out of the lessons."""
    prepare(folder, Job(recipe="prompt", workflow="bench"), lessons_of(rest, "prompt"))
    run_job(folder, prompt.run)
    shots = parse((folder / "out" / prompt.FILE).read_bytes()).shots
    turns = [
        message
        for one in shots
        for message in ({"role": "user", "content": one.asked}, {"role": "assistant", "content": one.answer.text})
    ]
    made = []
    for one in calls:
        system, *asked = one["request"]["messages"]
        made.append({**one, "request": {**one["request"], "messages": [system, *turns, *asked]}})
    return made


def judged(name: str, ask: Any, calls: list[dict[str, Any]], extra: dict[str, Any]) -> np.ndarray:
    """Which of the calls are answered rightly."""
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda one: ask({**one["request"], **extra}), calls))
    return np.array([right(name, text or "", one["answer"]) for text, one in zip(said, calls, strict=True)])


def in_torch(name: str, adapter: Path, base: Base, calls: list[dict[str, Any]]) -> np.ndarray:
    """The same where it was trained: bf16 base, PEFT adapter, greedy."""
    import peft
    import torch

    from freehold.moves.training.base_model import load

    torch.set_num_threads(1)
    model, tokenizer = load(Path(base.file), torch.bfloat16, "cpu")
    tuned = peft.PeftModel.from_pretrained(model, str(adapter)).eval()
    found = []
    for one in calls:
        messages, _ = messages_of(json.dumps(one["request"]).encode())
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False).input_ids])
        with torch.no_grad():
            made = tuned.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=MOST, do_sample=False
            )
        found.append(right(name, tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True), one["answer"]))
    return np.array(found)


def lift(after: np.ndarray, before: np.ndarray) -> tuple[float, float, float]:
    """Mean paired difference with its 95 % interval (normal)."""
    difference = after.astype(float) - before.astype(float)
    half = 1.96 * difference.std(ddof=1) / len(difference) ** 0.5
    return round(difference.mean(), 4), round(difference.mean() - half, 4), round(difference.mean() + half, 4)


def one_task(name: str, calls: list[dict[str, Any]], options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    identity = Identity.load(folder / "identity.key")
    store = Store(folder / "store", identity)
    chat = next(one for one in admit(options.models, store, time.time) if one.name == CHAT)
    base = Base(CHAT, str(store.blob(chat.files[0].sha256)), chat.files[0].sha256)
    test, rest = calls[: options.test], calls[options.test :]
    print(f"{name}: {len(rest)} lessons, {len(test)} calls to judge by")
    recipe = {"epochs": options.epochs, "batch": 16, "rate": options.rate, "most_tokens": 1024}
    done, out = train(rest, folder / name, recipe, base)
    files = tuple(out / one for one in (ADAPTER, CONFIG, WEIGHTS))
    product = Product(
        name=f"{name}-1",
        kind="adapter",
        format="gguf",
        files=files,
        recipe="lora",
        dataset_sha256=done.job.dataset,
        base=CHAT,
    )
    adapter = admit_trained(store, product, time.time())
    with serving(store, identity, adapter, folder, options.threads) as ask:
        tuned = judged(name, ask, test, {})
    with serving(store, identity, chat, folder, options.threads) as ask:
        plain = judged(name, ask, test[: options.plain], {})
        held = judged(name, ask, test, form_of(name))
        asked = with_shots(test[: options.plain], rest, folder / f"{name}-prompt")
        shown_to = judged(name, ask, asked, form_of(name))
    result: dict[str, Any] = {"seconds": done.seconds, "bytes": done.bytes, "metrics": done.metrics}
    result["base"] = shown(f"base (first {len(plain)})", plain)
    result["base_in_form"] = shown("base held to the form", held)
    result["base_with_examples"] = shown(f"  after 8 examples (first {len(shown_to)})", shown_to)
    result["adapter_engine"] = shown("adapter, on the engine", tuned)
    if options.torch:
        first = in_torch(name, out, base, test[: options.torch])
        result["adapter_torch"] = shown(f"adapter, in torch (first {len(first)})", first)
        result["adapter_engine_same"] = shown("  the same on the engine", tuned[: options.torch])
    result["lift"] = lift(tuned, held)
    mean, low, high = result["lift"]
    print(f"  lift over the base held to the form {mean:+.1%} (95 % interval {low:+.1%} to {high:+.1%})")
    gguf = next(one.size for one in done.files if one.name == ADAPTER)
    print(f"  {done.seconds:.0f} s of training on one thread, {gguf} bytes as GGUF, {done.bytes} bytes in all")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=480, help="lessons of each task")
    parser.add_argument("--test", type=int, default=150, help="calls each is judged by")
    parser.add_argument("--plain", type=int, default=50, help="of them also asked of the base free, and with examples")
    parser.add_argument("--torch", type=int, default=40, help="of them also answered in torch; 0 for none")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1, help="of the engine")
    parser.add_argument("--task", choices=("intents", "invoices"))
    parser.add_argument("--work", type=Path, help="folder to work in: what was trained there is not trained again")
    parser.add_argument("--models", type=Path, default=DEFAULT_CACHE)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() if options.work is None else nullcontext(options.work) as folder:
        for name, calls in tasks(7, options.train + options.test):
            if options.task in (None, name):
                found[name] = one_task(name, calls, options, Path(folder))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
