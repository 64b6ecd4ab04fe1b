"""Finds how a model is best served here: variants made, served, graded and timed through the door, one cell signed.

Each variant is admitted to the store and served as a target of its own while it is measured, and let go afterwards.
Run again after an interruption it makes and serves the same names; nothing is chosen before all are measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import msgspec

from freehold.core.clock import Clock, iso
from freehold.core.crypto import Identity
from freehold.core.db import writing
from freehold.core.errors import BadArtefact, BadRequest, FreeholdError, LeaseLost, Unavailable
from freehold.core.process import read_processes
from freehold.evals import store as evals
from freehold.evals.door import Door
from freehold.evals.runs import Parts, chosen, evaluate
from freehold.evals.scorecards import Scorecard
from freehold.evals.types import Plan, Run
from freehold.grading.types import Spec
from freehold.jobs.types import Beat, Kind, Payload
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Store
from freehold.registry.offers import Offer
from freehold.registry.types import Making, Manifest
from freehold.serving.certified import Cell, Flags, Slo, Speed, Variant, cell_id, hardware_of, keep
from freehold.serving.engines.quantiser import FILE_TYPES
from freehold.serving.tradeoff import choose, fastest, picture
from freehold.serving.wanted import Wanted, unwant, wait_ready, want

KIND = "models.optimise"
LEASE_SECONDS = 900.0
READY_SECONDS = 180.0
QUANTISE_SECONDS = 3600
SPEED_CALLS = 12
SPEED_OUTPUT = 48
"""Tokens of each answer that speed is measured on."""
_ASK = "Write down, one a line, as many different words about the sea, ships and harbours as you can."
_ENGINE = "llama.cpp (embedded)"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found out."""

    model: str
    types: tuple[str, ...] = ("Q4_0", "Q5_1", "Q8_0")
    """Types to make beside the model as it is."""
    workflow: str = ""
    """Whose recorded calls grade the variants; empty to measure speed alone."""
    grader: Spec | None = None
    limit: int = 200
    slo: Slo = Slo()
    concurrency: int = 2
    threads: tuple[int, ...] = ()
    slots: tuple[int, ...] = ()
    batches: tuple[int, ...] = ()
    caches: tuple[str, ...] = ()
    """Ways of serving to try on the chosen variant, each beside the instance's own; empty for none."""
    calls: int = SPEED_CALLS


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring works with."""

    home: Path
    store: Store
    identity: Identity
    admission: Admission
    runs: Parts
    defaults: Flags
    cores: int
    clock: Clock


def kinds(bench: Callable[[], Bench]) -> tuple[Kind, ...]:
    """The job of this file; `bench` is asked for when one begins."""

    def run(payload: Payload, beat: Beat) -> Payload:
        """`{"order": ORDER}`."""
        order = msgspec.convert(payload["order"], Order)
        try:
            cell = optimise(bench(), order, beat)
        except (LeaseLost, Unavailable):
            raise
        except FreeholdError as error:  # trying again would end the same
            return {"state": "failed", "why": f"{error.code} {error.message}"}
        return {"state": "done", "cell": cell.id, "chosen": cell.chosen}

    return (Kind(KIND, run, lease_seconds=LEASE_SECONDS, tries=3),)


def check(order: Order, manifest: Manifest) -> None:
    """Raises BadRequest for types there are not, BadArtefact for a model that the embedded engine does not serve."""
    unknown = sorted(set(order.types) - set(FILE_TYPES))
    if unknown:
        raise BadRequest(f"there is no type {unknown[0]!r}", hint=f"name some of: {', '.join(sorted(FILE_TYPES))}")
    if manifest.kind != "chat" or manifest.format != "gguf":
        what = "an adapter: its base is what is quantised" if manifest.kind == "adapter" else "no chat model in GGUF"
        raise BadArtefact(f"{manifest.name} is {what}", param="model")


def optimise(bench: Bench, order: Order, beat: Beat) -> Cell:
    """Make, serve and measure every variant, choose one and its flags, and sign what was found.

    Raises as `check`, and NotFound where the model is not in the store.
    """
    base = bench.store.show(order.model)
    check(order, base)
    made = [(base, "as it is", "")]
    for each in order.types:
        beat({"phase": "quantising", "to": each})
        made.append(_variant(bench, base, each))
    found = []
    for number, (manifest, kind, note) in enumerate(made):
        beat({"phase": "measuring", "variant": manifest.name, "done": number, "of": len(made)})
        found.append(_measured(bench, order, (manifest, kind, note), beat))
    best = choose(found, order.slo)
    tried: tuple[Speed, ...] = ()
    flags = None
    if best is not None:
        tried = (best.speed, *_ways(bench, order, best.name, beat))
        quickest = fastest(tried, order.slo)
        flags = quickest.flags if quickest else None
    now, hardware = iso(bench.clock()), hardware_of(bench.cores)
    cell = Cell(
        id=cell_id(order.model, hardware, now),
        model=order.model,
        base_sha256=base.files[0].sha256,
        engine=_ENGINE,
        engine_version=version("xllamacpp"),
        hardware=hardware,
        at=now,
        workflow=order.workflow,
        grader=order.grader.kind if order.grader else "",
        slo=order.slo,
        chosen=best.name if best else "",
        flags=flags,
        variants=tuple(found),
        tried=tried,
    )
    path = keep(bench.home, cell, bench.identity)
    path.with_suffix(".svg").write_text(picture(cell.variants, cell.chosen))
    return cell


def variant_name(model: str, kind: str) -> str:
    """In the store."""
    return f"{model}-{kind.lower().replace('_', '')}"[:57]


def _variant(bench: Bench, base: Manifest, kind: str) -> tuple[Manifest, str, str]:
    """The model in another type, made once and admitted; what of it is in another type yet."""
    name = variant_name(base.name, kind)
    there = {one.name: one for one in bench.store.list()}.get(name)
    if there is not None and there.making.from_sha256 == base.files[0].sha256:
        return there, kind, there.making.detail.partition("; ")[2]
    folder = bench.home / "work" / f"optimise-{base.name}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{name}.gguf"
    source = bench.store.open_verified(base.name)
    module = "freehold.serving.engines.quantiser"
    argv = (sys.executable, "-m", module, str(source), str(target), kind)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=QUANTISE_SECONDS, env={})
    if done.returncode:
        raise BadArtefact(f"{base.name} cannot be written as {kind}: {done.stderr.strip()[-300:]}")
    counts = json.loads(done.stdout.splitlines()[-1])
    others = ", ".join(f"{many} matrices as {each}" for each, many in sorted(counts.items()) if each != kind)
    making = Making("requantise", base.files[0].sha256, f"GGUF to {kind}" + (f"; {others}" if others else ""))
    offer = Offer(
        name=name, kind=base.kind, format="gguf", origin=base.origin, making=making, licence=base.licence,
    )  # fmt: skip
    manifest = bench.admission.made_here({target.name: target}, offer)
    target.unlink(missing_ok=True)
    return manifest, kind, others


def _measured(bench: Bench, order: Order, made: tuple[Manifest, str, str], beat: Beat) -> Variant:
    manifest, kind, note = made
    target = _target(manifest.name)
    speed = _served(bench, order, manifest, bench.defaults)
    card = None
    try:
        if order.workflow and order.grader is not None and speed.calls:
            card = _graded(bench, order, target, beat)
    finally:
        unwant(bench.home, target)
    return Variant(
        name=manifest.name,
        quantisation=kind,
        sha256=manifest.files[0].sha256,
        size_bytes=manifest.size,
        speed=speed,
        quality=card.quality if card else None,
        low=card.difference.low if card else None,
        high=card.difference.high if card else None,
        pairs=card.pairs if card else 0,
        note=note,
    )


def _ways(bench: Bench, order: Order, model: str, beat: Beat) -> list[Speed]:
    """One flag changed at a time: what each does by itself, in few measurements."""
    base = bench.defaults
    ways = [msgspec.structs.replace(base, threads=one) for one in order.threads]
    # A slot keeps the context that a call had: more of them must not make calls that fit before fail.
    ways += [msgspec.structs.replace(base, slots=one, context=base.context // base.slots * one) for one in order.slots]
    ways += [msgspec.structs.replace(base, batch=one) for one in order.batches]
    ways += [msgspec.structs.replace(base, kv=one) for one in order.caches]
    found = []
    for number, flags in enumerate(one for one in ways if one != base):
        beat({"phase": "flags", "done": number, "of": len(ways)})
        found.append(_served(bench, order, bench.store.show(model), flags))
        unwant(bench.home, _target(model))
    return found


def _served(bench: Bench, order: Order, manifest: Manifest, flags: Flags) -> Speed:
    """Serve it so, and load it. What an engine cannot be started with did nothing, and is told as no calls."""
    target = _target(manifest.name)
    wish = Wanted(name=target, model=manifest.name, sha256=manifest.files[0].sha256, **msgspec.structs.asdict(flags))
    want(bench.home, wish)
    try:
        process = wait_ready(bench.home, target, READY_SECONDS).process
    except Unavailable:
        unwant(bench.home, target)
        return Speed(
            flags=flags, concurrency=order.concurrency, calls=0, failed=0, tokens_per_second=0.0, latency=0.0,
            memory_bytes=0,
        )  # fmt: skip
    return load(bench.runs.door, order, target, flags, lambda: _peak(bench.home, process))


def load(door: Door, order: Order, target: str, flags: Flags, peak: Callable[[], int]) -> Speed:
    """Ask `order.calls` times, `order.concurrency` at once, and time it. Raises DoorClosed."""
    asked = {"messages": [{"role": "user", "content": _ASK}], "max_tokens": SPEED_OUTPUT, "temperature": 0}
    body = json.dumps(asked).encode()
    began = time.monotonic()
    with ThreadPoolExecutor(order.concurrency, thread_name_prefix="load") as pool:
        replies = list(pool.map(lambda _: door.ask(target, body, "public"), range(order.calls)))
    took = max(time.monotonic() - began, 1e-9)
    good = [one for one in replies if one.answer is not None]
    times = sorted(one.latency for one in good)
    return Speed(
        flags=flags,
        concurrency=order.concurrency,
        calls=len(good),
        failed=len(replies) - len(good),
        tokens_per_second=round(sum(one.usage.output for one in good) / took, 2),
        latency=round(times[min(len(times) - 1, int(0.95 * len(times)))], 4) if times else 0.0,
        memory_bytes=peak(),
    )


def _graded(bench: Bench, order: Order, target: str, beat: Beat) -> Scorecard:
    """The target's scorecard on the workflow's recorded calls, as any evaluation has it."""
    assert order.grader is not None
    plan = Plan(workflow=order.workflow, target=target, grader=order.grader, limit=order.limit)
    run = Run(id=f"opt.{target}.{int(bench.clock())}", at=bench.clock(), plan=plan, actor="optimise")
    with writing(bench.runs.engine) as connection:
        evals.add_run(connection, run)
    told = {"phase": "grading", "variant": target}
    door = bench.runs.door.bounded(_most_output(bench, plan))
    runs = msgspec.structs.replace(bench.runs, door=door)
    return evaluate(runs, run.id, lambda done, of: beat({**told, "done": done, "of": of}))


def _most_output(bench: Bench, plan: Plan) -> int:
    """Tokens enough for any answer of these calls, twice the longest at three characters a token: some never stop."""
    found = (one.reference for one in chosen(bench.runs, plan, bench.clock()).examples)
    longest = (len(one.text) + sum(len(call.arguments) for call in one.tool_calls) for one in found)
    return 32 + 2 * max(longest, default=0) // 3


def _target(model: str) -> str:
    return f"owned-opt-{model}"[:63]


def _peak(home: Path, process: str) -> int:
    """Bytes of resident memory at the peak of an engine's process (Linux); 0 where it cannot be read."""
    told = read_processes(home / "run" / "processes.json")
    pid = next((one.pid for one in told.children if one.name == process), None) if told else None
    if pid is None:
        return 0
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    words = next((one.split() for one in lines if one.startswith("VmHWM:")), [])
    return int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else 0
