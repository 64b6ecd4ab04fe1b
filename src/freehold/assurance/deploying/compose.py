"""A Compose file for one instance on one machine: one container, one volume, secrets by reference."""

from __future__ import annotations

from freehold.assurance.deploying.types import DRAIN_SECONDS, FOLDER, HOME, TLS_FOLDER, USER, Site
from freehold.assurance.deploying.writing import Document

_HEALTH = """\
import ssl, sys, urllib.request as u
c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
sys.exit(u.urlopen(u.Request(sys.argv[1], headers={"Host": sys.argv[2]}), timeout=3, context=c).status != 200)
"""
"""Python is in the image, curl is not. It asks its own listener whether it answers, not who it is."""


def compose(site: Site) -> Document:
    """The file as a document. Variables come from the shell or from a file `.env`, which is not written here."""
    scheme = "https" if site.tls else "http"
    url = f"{scheme}://127.0.0.1:{site.port}/readyz"
    volumes: list[str | Document] = ["home:" + HOME]
    volumes += [f"./{path}:{FOLDER}/{path}:ro" for path, _ in site.files]
    if site.tls:
        volumes.append(f"./tls:{TLS_FOLDER}:ro")
    environment: Document = {name: value.replace("$", "$$") for name, value in site.environment}
    environment.update(dict.fromkeys(site.variables))  # without a value: handed on from where Compose runs
    service: Document = {
        "image": site.image,
        "command": ["up"],
        "user": f"{USER}:{USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp:size=256m"],  # noqa: S108  the container's own
        "pids_limit": 1024,
        "mem_limit": site.size.memory.lower().replace("i", ""),
        "environment": environment,
        "ports": [f"127.0.0.1:{site.port}:{site.port}"],
        "volumes": volumes,
        "healthcheck": {
            "test": ["CMD", "python", "-c", _HEALTH, url, site.host_header],
            "interval": "10s",
            "timeout": "5s",
            "retries": 6,
            "start_period": "120s",
        },
        "restart": "on-failure",
        "stop_grace_period": f"{DRAIN_SECONDS}s",
        "init": True,
    }
    made: Document = {"name": "freehold", "services": {"freehold": service}, "volumes": {"home": {}}}
    if site.secret_files:
        service["secrets"] = [{"source": one.key, "target": one.inside} for one in site.secret_files]
        made["secrets"] = {one.key: {"file": one.here} for one in site.secret_files}
    return made
