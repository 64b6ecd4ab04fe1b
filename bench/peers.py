"""The peers Freehold is measured against: how each is installed and started. None is a dependency of Freehold.

Everything but the Debian packages goes into `bench/out/peers`. Versions are pinned; LiteLLM 1.82.7, 1.82.8 and
1.107.0 were reported as compromised and must never be put here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench import configs
from bench.pinning import GATEWAY_CORE, Child
from freehold.core.ports import free_port

_NICE = ["nice", "-n", "10"]


class Unavailable(Exception):
    """This peer cannot be had here; the text says why."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a peer runs and what it calls."""

    folder: Path
    """Of its installation and its logs."""
    port: int
    upstream: int
    tls_upstream: int = 0
    ca: Path | None = None


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How a peer is started."""

    command: tuple[str, ...]
    env: dict[str, str] = {}
    cwd: Path | None = None
    headers: tuple[str, ...] = ()


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One peer. `kind`: `relay` (only relays), `job` (a relay scripted to do our job), `router`, `gateway`."""

    name: str
    kind: str
    version: str
    install: Callable[[Path], None]
    start: Callable[[Place], Start]
    slow: bool = False
    tls: bool = False
    """Speaks TLS to its upstream."""


def _run(command: Sequence[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [*_NICE, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        lines = [one for one in (done.stderr or done.stdout).splitlines() if one.strip() and "WARNING" not in one]
        raise Unavailable(f"`{' '.join(map(str, command[:4]))} ...` failed: {(lines or ['no message'])[-1][:200]}")


def binary(name: str) -> str | None:
    """Its path, also where an ordinary user's PATH lacks sbin."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _apt(present: Callable[[], bool], *packages: str) -> Callable[[Path], None]:
    def install(_: Path) -> None:
        if present():
            return
        if not shutil.which("apt-get") or os.geteuid() != 0:
            raise Unavailable(f"not installed (as root: apt-get install {' '.join(packages)})")
        # Runlevel 1 keeps the package from starting its own service.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        try:
            _run(command, env=quiet)
        except Unavailable:
            _run(["apt-get", "update"], env=quiet)
            _run(command, env=quiet)

    return install


def _pip(*requirements: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        mark = folder / ".done"
        if mark.exists():
            return
        _run([sys.executable, "-m", "venv", folder])
        _run([folder / "bin" / "pip", "-q", "install", "--only-binary", ":all:", *requirements])
        mark.touch()

    return install


def _npm(dependencies: dict[str, str], overrides: dict[str, str]) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        mark = folder / ".done"
        if mark.exists():
            return
        if not shutil.which("npm"):
            raise Unavailable("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        package = {"name": "peer", "version": "1.0.0", "private": True}
        (folder / "package.json").write_text(
            json.dumps({**package, "dependencies": dependencies, "overrides": overrides})
        )
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
        mark.touch()

    return install


def _nginx(place: Place) -> Start:
    path = configs.nginx(place.folder, place.port, place.upstream)
    return Start(command=(binary("nginx") or "nginx", "-c", str(path)))


def _nginx_lua(place: Place) -> Start:
    path = configs.nginx(place.folder, place.port, place.upstream, lua=True)
    return Start(command=(binary("nginx") or "nginx", "-c", str(path)))


def _nginx_tls(place: Place) -> Start:
    path = configs.nginx(place.folder, place.port, place.tls_upstream, ca=place.ca)
    return Start(command=(binary("nginx") or "nginx", "-c", str(path)))


def _haproxy(place: Place) -> Start:
    path = configs.haproxy(place.folder, place.port, place.upstream)
    return Start(command=(binary("haproxy") or "haproxy", "-f", str(path)))


def _litellm(place: Place) -> Start:
    path = configs.litellm(place.folder, place.upstream)
    program = str(place.folder / "bin" / "litellm")
    return Start(
        command=(
            program,
            "--config",
            str(path),
            "--port",
            str(place.port),
            "--num_workers",
            "1",
            "--telemetry",
            "False",
        ),
        env={
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_DOCS": "True",
        },
        cwd=place.folder,
    )


def _portkey(place: Place) -> Start:
    script = "node_modules/@portkey-ai/gateway/build/start-server.js"
    return Start(
        command=("node", script, f"--port={place.port}", "--headless"),
        env={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
        cwd=place.folder,
        headers=("x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{place.upstream}/v1"),
    )


def _router_options(place: Place) -> tuple[str, ...]:
    scheme, upstream = ("https", place.tls_upstream) if place.tls_upstream else ("http", place.upstream)
    host = "localhost" if place.tls_upstream else "127.0.0.1"
    return (
        *("--worker-urls", f"{scheme}://{host}:{upstream}", "--host", "127.0.0.1", "--port", str(place.port)),
        *("--policy", "round_robin", "--log-level", "error", "--max-concurrent-requests", "4096"),
        *("--prometheus-port", str(free_port())),
    )


def _trust(place: Place) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(place.ca)} if place.ca else {}


def _vllm_router(place: Place) -> Start:
    program = str(place.folder / "bin" / "vllm-router")
    return Start(command=(program, *_router_options(place)), env=_trust(place))


def _sglang_router(place: Place) -> Start:
    program = str(place.folder / "bin" / "python")
    return Start(command=(program, "-m", "sglang_router.launch_router", *_router_options(place)), env=_trust(place))


def _has_nginx() -> bool:
    return binary("nginx") is not None


def _has_haproxy() -> bool:
    return binary("haproxy") is not None


def _has_lua() -> bool:
    module = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
    return _has_nginx() and module.exists() and any(Path("/usr/lib").glob("*/lua/5.1/cjson.so"))


_PORTKEY = {"@portkey-ai/gateway": "1.15.2", "hono": "4.9.7"}
_PORTKEY_PINS = {"hono": "4.9.7", "@hono/node-server": "1.14.1"}

PEERS: tuple[Peer, ...] = (
    Peer(name="haproxy", kind="relay", version="Debian", install=_apt(_has_haproxy, "haproxy"), start=_haproxy),
    Peer(
        name="litellm",
        kind="gateway",
        version="1.105.0",
        install=_pip("litellm[proxy]==1.105.0"),
        start=_litellm,
        slow=True,
    ),
    Peer(name="nginx", kind="relay", version="Debian", install=_apt(_has_nginx, "nginx"), start=_nginx),
    Peer(
        name="nginx-lua",
        kind="job",
        version="Debian",
        install=_apt(_has_lua, "nginx", "libnginx-mod-http-lua", "lua-cjson"),
        start=_nginx_lua,
    ),
    Peer(
        name="portkey",
        kind="gateway",
        version="1.15.2",
        install=_npm(_PORTKEY, _PORTKEY_PINS),
        start=_portkey,
        slow=True,
    ),
    Peer(
        name="sglang-router",
        kind="router",
        version="0.3.2",
        install=_pip("sglang-router==0.3.2", "fastapi", "uvicorn"),
        start=_sglang_router,
        tls=True,
    ),
    Peer(
        name="vllm-router",
        kind="router",
        version="0.1.17",
        install=_pip("vllm-router==0.1.17"),
        start=_vllm_router,
        tls=True,
    ),
)

NGINX_TLS = Peer(
    name="nginx-tls", kind="relay", version="Debian", install=_apt(_has_nginx, "nginx"), start=_nginx_tls, tls=True
)


def launch(peer: Peer, name: str, place: Place) -> tuple[Child, Start]:
    """Start an installed peer on the gateway's core."""
    start = peer.start(place)
    log = place.folder / f"{name}.log"
    return Child(name, start.command, GATEWAY_CORE, log, env=start.env, cwd=start.cwd), start
