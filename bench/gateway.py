"""`python -m bench.gateway [--quick] [--rows FILE] [--peers a,b]`: the data plane against its peers, in one run.

Subject on core 0, mock and load client on core 1; runs interleaved; medians; ratios taken round by round. The data
plane is compiled first, where that can be done (`make compiled`). Ends with one JSON line. Full results go to
`bench/results/gateway.{json,md}`, quick ones to `bench/out`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import report, steps
from bench.field import Field, add_peers, opened
from bench.instance import Instance, add_instances, memory_run
from bench.launch import compiled, prepare
from bench.load import NoLoad, Sample, Shot, Subject, build, measure
from bench.peers import PEERS, Peer
from bench.pinning import GATEWAY_CORE, LOAD_CORE, machine, pin_self

ROOT = Path(__file__).resolve().parent
OUT = ROOT / "out"
EVERYTHING = "freehold-everything"
GUARDED = "freehold-guarded"
HEADROOM = 1.1
"""The mock alone must answer this many times what the fastest subject does."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often."""

    seconds: float
    """The whole run's bound."""
    tries: int
    again: int
    """Most runs that are repeated because others disturbed them; a machine that is never idle costs no more."""
    memory: tuple[int, int]
    """Calls after which memory is read, first and last."""
    shots: tuple[tuple[Shot, int], ...]
    """Each with its rounds."""


QUICK = Plan(
    seconds=150,
    tries=2,
    again=12,
    memory=(10_000, 100_000),
    shots=(
        (Shot(name="calls", connections=64, seconds=1.2), 3),
        (Shot(name="one", connections=1, seconds=0.6, latency=True), 3),
        (Shot(name="open", connections=256, seconds=1.5, rate=1000, latency=True, mock_core=GATEWAY_CORE), 2),
        (Shot(name="first", connections=1, seconds=0.6, events=20, gap_us=1, latency=True), 3),
        (Shot(name="paced", connections=200, seconds=1, events=100, gap_us=20_000, once=True), 3),
        (Shot(name="blob", connections=200, seconds=1, events=200), 1),
    ),
)
FULL = Plan(
    seconds=840,
    tries=3,
    again=40,
    memory=(10_000, 1_000_000),
    shots=(
        (Shot(name="calls", connections=64, seconds=3), 5),
        (Shot(name="one", connections=1, seconds=1.5, latency=True), 3),
        (Shot(name="open", connections=256, seconds=3, rate=1000, latency=True, mock_core=GATEWAY_CORE), 3),
        (Shot(name="first", connections=1, seconds=1.5, events=20, gap_us=1, latency=True), 3),
        (Shot(name="paced", connections=200, seconds=1, events=200, gap_us=20_000, once=True), 3),
        (Shot(name="blob", connections=200, seconds=2, events=200), 2),
    ),
)


def main() -> int:
    options = _arguments()
    prepare(interpreted=options.interpreted)
    plan = _shorter(QUICK if options.quick else FULL, options.shots)
    began = time.monotonic()
    if (os.cpu_count() or 1) < 2:
        return _skip("two cores are needed: one for the gateway, one for the load")
    try:
        tools = build(OUT / "bin")
    except NoLoad as reason:
        return _skip(str(reason))
    pin_self(LOAD_CORE, first=not options.polite)
    with opened(tools, OUT) as field:
        add_peers(field, _chosen(options.peers, quick=options.quick))
        instances = add_instances(field)
        for name, why in sorted(field.skipped.items()):
            print(f"skipped {name}: {why}", flush=True)
        samples = _run(field, plan, began + plan.seconds - (25 if options.quick else 90))
        memory = {one.name: one.child.rss_mb() for one in field.subjects if one.child}
        growth = memory_run(field, plan.memory, began + plan.seconds) if instances else {}
    result = _result(samples, field, instances, growth)
    result["features_us"] = {name: round(value, 2) for name, value in steps.measure()}
    result["seconds"] = round(time.monotonic() - began)
    result["quick"] = options.quick
    result["python"], result["compiled"] = platform.python_version(), compiled()
    _publish(result, samples, report.rows(samples, ["direct", *(one.name for one in field.subjects)], memory), options)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 3 minutes: nginx and one router, short runs")
    parser.add_argument("--rows", type=Path, help="write every single run as JSON lines")
    parser.add_argument("--peers", help=f"comma-separated: {', '.join(one.name for one in PEERS)}; `none` for none")
    parser.add_argument("--polite", action="store_true", help="do not go before other work on this machine")
    parser.add_argument("--interpreted", action="store_true", help="measure the sources as they stand, not compiled")
    parser.add_argument("--shots", help="comma-separated, for a closer look: calls, one, open, first, paced, blob")
    return parser.parse_args()


def _chosen(names: str | None, *, quick: bool) -> list[Peer]:
    if names is None:
        return [one for one in PEERS if not quick or one.name in {"nginx", "vllm-router"}]
    wanted = {one.strip() for one in names.split(",")} - {"none", ""}
    unknown = wanted - {one.name for one in PEERS}
    if unknown:
        raise SystemExit(f"unknown peers: {', '.join(sorted(unknown))}; known: {', '.join(one.name for one in PEERS)}")
    return [one for one in PEERS if one.name in wanted]


def _shorter(plan: Plan, names: str | None) -> Plan:
    if names is None:
        return plan
    wanted = {one.strip() for one in names.split(",")}
    return msgspec.structs.replace(plan, shots=tuple(one for one in plan.shots if one[0].name in wanted))


def _skip(reason: str) -> int:
    print(f"bench.gateway skipped: {reason}")
    print(msgspec.json.encode({"skipped": reason}).decode())
    return 0


def _fits(subject: Subject, shot: Shot, number: int) -> bool:
    """TLS twins only relay calls; slow gateways get one round and no flat-out streams."""
    if subject.name.endswith("-tls"):
        return shot.name == "calls"
    if subject.name == "direct-same-core":
        return shot.name == "one"
    return not subject.slow or (number == 0 and shot.name in {"calls", "one", "first"})


def _run(field: Field, plan: Plan, limit: float) -> list[Sample]:
    """Every shot, its rounds interleaved over the subjects, each round beginning with another one."""
    samples: list[Sample] = []
    subjects = [field.direct(), field.same_core(), *field.subjects]
    mocks = tuple(field.mocks)
    again = plan.again
    for subject in field.subjects:
        if not subject.slow:
            measure(field.tools, subject, Shot(name="warm", connections=64, seconds=0.5), mocks, 1)
    for shot, rounds in plan.shots:
        for number in range(rounds):
            turn = number % len(subjects)
            for subject in [*subjects[turn:], *subjects[:turn]]:
                if not _fits(subject, shot, number):
                    continue
                if time.monotonic() > limit and number:
                    break
                sample = _shoot(field, subject, shot, plan.tries if again > 0 else 1)
                again -= sample.tries - 1
                sample.round = number
                samples.append(sample)
        _progress(samples, shot)
    return samples


def _shoot(field: Field, subject: Subject, shot: Shot, tries: int) -> Sample:
    try:
        return measure(field.tools, subject, shot, tuple(field.mocks), tries)
    except (RuntimeError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        print(f"  {subject.name}, {shot.name}: {error}", flush=True)
        return _nothing(subject.name, shot.name, str(error))


def _nothing(subject: str, shot: str, error: str) -> Sample:
    empty = {"ok": 0, "bad": 0, "err": 0, "secs": 0, "rps": 0, "p50_us": 0, "p90_us": 0, "p99_us": 0, "max_us": 0}
    held = {"subject": subject, "shot": shot, "round": 0, "figures": empty, "cpu": 0, "busy": 0}
    return msgspec.convert({**held, "foreign": 0, "stolen": 0, "load_busy": 0, "error": error}, Sample)


def _progress(samples: list[Sample], shot: Shot) -> None:
    names = dict.fromkeys(one.subject for one in samples if one.shot == shot.name)
    shown = []
    for name in names:
        found = report.pick(samples, name, shot.name)
        value = report.middle(found, "p50_us" if name == "direct" or shot.name in {"one", "open"} else "per_cpu")
        shown.append(f"{name} {value or 0:,.0f}")
    print(f"{shot.name:6} {', '.join(shown)}", flush=True)


def _result(
    samples: list[Sample], field: Field, instances: list[Instance], growth: dict[str, object]
) -> report.Figures:
    """The figures of the last line."""
    routers = tuple(one.name for one in PEERS if one.kind == "router")
    plain, secure = ("nginx", routers), ("nginx-tls", tuple(f"{one}-tls" for one in routers))
    result: report.Figures = {
        "plain": report.profile(samples, "freehold", "calls", plain),
        "everything": report.profile(samples, EVERYTHING, "calls", plain),
        "guarded": report.profile(samples, GUARDED, "calls", plain),
        "tls": report.profile(samples, "freehold-tls", "calls", secure),
        "paced": report.profile(samples, "freehold", "paced", plain),
        "added_p50_us": report.added(samples, EVERYTHING, "one", "p50_us"),
        "added_p50_us_guarded": report.added(samples, GUARDED, "one", "p50_us"),
        "added_p50_us_plain": report.added(samples, "freehold", "one", "p50_us"),
        "added_p50_us_same_core": report.added(samples, EVERYTHING, "one", "p50_us", "direct-same-core"),
        "added_p99_us_1000": report.added(samples, EVERYTHING, "open", "p99_us"),
        "ttft_added_ms_guarded": _milliseconds(report.added(samples, GUARDED, "first", "ttfb_p50_us")),
        "ttft_added_ms": _milliseconds(report.added(samples, EVERYTHING, "first", "ttfb_p50_us")),
        "chunks_per_s": report.middle(report.pick(samples, "freehold", "blob"), "events_s"),
        "rss_growth": growth.get("growth"),
        "memory": growth,
        "paced_guarded": report.profile(samples, GUARDED, "paced", plain),
        "paced_everything": report.profile(samples, EVERYTHING, "paced", plain),
        "load": _load_side(samples),
        "disturbance": report.disturbance(samples),
        "skipped": field.skipped,
        "profiles": {one.profile.name: one.profile.note for one in instances},
    }
    return result


def _milliseconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1000, 3)


def _load_side(samples: list[Sample]) -> report.Figures:
    """Is the load side fast enough to say anything about the subjects?"""
    direct = report.middle(report.pick(samples, "direct", "calls"), "rps") or 0.0
    speeds = [one.figures.rps for one in samples if one.subject != "direct" and one.shot == "calls"]
    fastest = max(speeds, default=0.0)
    enough = bool(fastest) and direct >= HEADROOM * fastest
    return {"direct_per_s": round(direct), "fastest_subject_per_s": round(fastest), "enough": enough}


def _publish(
    result: report.Figures, samples: list[Sample], table: list[list[str]], options: argparse.Namespace
) -> None:
    if options.rows:
        options.rows.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in samples))
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    features = [["feature on the hot path", "us"]]
    features += [[name, f"{value:.2f}"] for name, value in dict(result["features_us"]).items()]  # type: ignore[call-overload]
    print("\n" + report.text(table) + "\n\n" + report.text(features) + "\n")
    load = result["load"]
    if isinstance(load, dict) and not load["enough"]:
        print("note: the load side is close to its limit; figures per CPU second hold, calls/s are a lower bound\n")
    noise = result["disturbance"]
    if isinstance(noise, dict) and noise["disturbed"] * 4 > noise["runs"]:
        print(
            f"note: {noise['disturbed']} of {noise['runs']} runs were disturbed by others: repeat on an idle machine\n"
        )
    folder = (
        OUT
        if options.quick or options.peers or options.polite or options.shots or options.interpreted
        else ROOT / "results"
    )
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"date": date, "machine": machine(), "cores": {"subject": GATEWAY_CORE, "load": LOAD_CORE}, **result}
    (folder / "gateway.json").write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    page = [f"# Data plane, {date}", f"{machine()}", report.markdown(table), report.markdown(features)]
    last = msgspec.json.encode(result).decode()
    (folder / "gateway.md").write_text("\n\n".join([*page, f"```json\n{last}\n```"]) + "\n")
    print(last)


if __name__ == "__main__":
    raise SystemExit(main())
