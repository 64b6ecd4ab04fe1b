"""What `freehold up` prints when the first answer can be had."""

from __future__ import annotations

import msgspec

from freehold import __version__
from freehold.settings.location import Endpoints


class Started(msgspec.Struct, frozen=True):
    """What people need to know. `secret` is empty where no key was made now; `seconds` is how long it took.

    `route` is one to try, empty where there is none. `plane` says whether the data plane is compiled. `console` is a
    link that signs one browser in, once.
    """

    endpoints: Endpoints
    secret: str
    label: str
    home: str
    engines: int
    seconds: float
    route: str
    plane: str
    console: str


class StartedReplica(msgspec.Struct, frozen=True):
    """The same of a replica: where it serves, under which name, whose it is."""

    gateway: str
    replica: str
    primary: str
    home: str
    seconds: float
    plane: str


def banner(started: Started) -> str:
    """The text, ending in a newline."""
    base = started.endpoints.gateway
    key = started.secret or "YOUR_KEY"
    shown = (
        f"{started.secret}   (shown this once; default label: {started.label})"
        if started.secret
        else "as shown at the first start; another: freehold keys create NAME --label internal"
    )
    models = f"{started.engines} owned models" if started.engines else "no owned models"
    return f"""Freehold {__version__} is up: {models}, ready in {started.seconds:.1f} s

  OpenAI base URL      {base}/v1
  Anthropic base URL   {base}
  key                  {shown}
  console              {started.console}
                       (signs one browser in, within 15 minutes; another: freehold console)
  management API       {started.endpoints.admin}/openapi.json   (token: {started.home}/run/admin.token)
  data plane           {started.plane}

{_try(base, key, started.route)}
Stop with Ctrl-C. What happens: freehold calls tail
"""


def _try(base: str, key: str, route: str) -> str:
    if not route:
        return "There is no route yet: declare one in freehold.toml (freehold config init writes a starting point).\n"
    return f"""Try it:
  curl {base}/v1/chat/completions -H "authorization: Bearer {key}" -H "content-type: application/json" \\
    -d '{{"model": "{route}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
"""


def replica_banner(started: StartedReplica) -> str:
    """The text of a replica, ending in a newline."""
    whose = f"replica {started.replica} of {started.primary}"
    return f"""Freehold {__version__} is up as {whose}, ready in {started.seconds:.1f} s

  OpenAI base URL      {started.gateway}/v1
  Anthropic base URL   {started.gateway}
  keys, routes, policy as the primary says; changes are in force here within a second
  data plane           {started.plane}

Stop with Ctrl-C: calls finish, and what they wrote goes to the primary first.
"""


def as_json(started: Started | StartedReplica) -> str:
    """The same for programs: one line."""
    return msgspec.json.encode(started).decode() + "\n"
