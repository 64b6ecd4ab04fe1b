"""A hardened unit of systemd for one instance, and what goes with it."""

from __future__ import annotations

from string import Template

from freehold.assurance.deploying.types import DRAIN_SECONDS, Site

MEMORY = {"Ki": "K", "Mi": "M", "Gi": "G", "Ti": "T"}


def unit(site: Site, template: str) -> str:
    """`freehold.service`. `template` is the packaged one."""
    memory = site.size.memory
    limit = memory[:-2] + MEMORY[memory[-2:]] if memory[-2:] in MEMORY else memory
    return Template(template).substitute(
        memory=limit,
        stop=DRAIN_SECONDS,
        devices="no" if site.local_engines else "yes",  # engines that are started here need the accelerator
    )


def account() -> str:
    """For systemd-sysusers: the account, without a shell."""
    return 'u freehold - "Freehold" /var/lib/freehold -\n'


def variables(site: Site) -> str:
    """Names of the secrets, to be filled in where they are kept; this file holds none."""
    lines = ["# Fill in, then: install -m 0600 -o root freehold.env.example /etc/freehold/freehold.env"]
    return "\n".join([*lines, *(f"#{name}=" for name in site.variables)]) + "\n"
