"""The tenants' rules: read from the file that `[policy] cedar` names, and checked before they are in force.

What is broken never takes the place of what holds. Where nothing holds yet, nothing rented may take anything.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from freehold.policy.cedar import problems
from freehold.settings import last_good
from freehold.settings.errors import BadRules
from freehold.settings.load import Loaded, load
from freehold.settings.problems import Finding, InvalidConfig
from freehold.settings.tree import Settings


def at_start(config: str | None, home: Path) -> tuple[Loaded, str]:
    """The settings to start with, and what people should be told of the rules; empty where nothing is wrong.

    Raises InvalidConfig where more is wrong than the rules.
    """
    try:
        return load(config, str(home)), ""
    except InvalidConfig as error:
        if any(one.code != BadRules.code for one in error.problems):
            raise
        found = error
    loaded = load(config, str(home), rules=False)
    before = last_good.kept(home)
    if before is not None and before.policy.cedar_text:
        told = "the rules that were last in force stay"
        changed = {"cedar_text": before.policy.cedar_text}
    else:
        told = "no rented target may take anything"
        changed = {"closed": f"the tenants' rules cannot be read: {found.problems[0].message}"}
    policy = loaded.settings.policy.model_copy(update=changed)
    settings = loaded.settings.model_copy(update={"policy": policy})
    return msgspec.structs.replace(loaded, settings=settings), f"{found}\n  until then {told}"


def with_rules(settings: Settings, folder: Path) -> tuple[Settings, list[Finding]]:
    """Settings whose `cedar_text` also holds what the file says, and what is wrong with it."""
    told = settings.policy
    text = told.cedar_text
    if told.cedar:
        try:
            text = f"{text}\n{(folder / told.cedar).read_text('utf-8')}".strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            message = f"the tenants' rules {told.cedar} cannot be read ({why})"
            return settings, [Finding(BadRules, ("policy", "cedar"), message)]
        if not text:
            return settings, [Finding(BadRules, ("policy", "cedar"), f"{told.cedar} holds no rule")]
    if not text:
        return settings, []
    field = "cedar" if told.cedar else "cedar_text"
    found = [Finding(BadRules, ("policy", field), f"the tenants' rules: {one}") for one in problems(text)]
    policy = told.model_copy(update={"cedar_text": text})
    return settings.model_copy(update={"policy": policy}), found
