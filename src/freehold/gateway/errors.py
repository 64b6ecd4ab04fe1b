"""What goes wrong where a call is guarded, or leans on what is kept elsewhere."""

from __future__ import annotations

from typing import ClassVar

from freehold.core.errors import Forbidden, NotTranslatable, Unavailable, UpstreamFailed


class GuardBlocked(Forbidden):
    """The route's guard found something in the request that its rules block; nothing was sent."""

    code = "FH-POL-030"
    hint_text = "take out what was found, or ask the owner of the guard: freehold guard profiles"


class AnswerBlocked(Forbidden):
    """The route's guard found something in the answer that its rules block."""

    code = "FH-POL-031"
    hint_text = "ask in another way, or ask the owner of the guard: freehold guard profiles"


class ApprovalNeeded(Forbidden):
    """The model wants to call a tool after it read what may be an instruction from outside: a person must approve."""

    code = "FH-POL-032"
    hint_text = "look at the tool's results; who may approve sends the call again with the header x-freehold-approve"


class ToolForbidden(Forbidden):
    """The server's owner does not let this tool through."""

    code = "FH-POL-033"
    hint_text = "list the tools that may be called, or ask the owner: allow and deny in [mcp.NAME]"


class KeptFromFlaw(Forbidden):
    """The request would reach a known flaw of the engine behind the target, so it was not sent."""

    code = "FH-POL-034"
    hint_text = "leave out what is named; the operators see the advisory and its fix: freehold errata list"


class GuardUnavailable(Unavailable):
    """The route names a guard that could not be made ready: nothing goes through unguarded."""

    code = "FH-AVA-030"
    hint_text = "see why: freehold doctor; then mend [guard.NAME] in freehold.toml"


class ScanFailed(Unavailable):
    """The guard could not look at the whole answer, so the rest of it was not passed on."""

    code = "FH-AVA-031"
    hint_text = "try again; the operators see which detector failed: freehold calls show CALL"


class TargetBusy(Unavailable):
    """The target takes no more calls just now, and no more may wait for it."""

    code = "FH-AVA-032"
    hint_text = "come again later; or give the target more room: most_in_flight, most_waiting in [targets.NAME]"


class ModelRefused(UpstreamFailed):
    """A rented model refused what policy permits; an owned one is asked instead."""

    code = "FH-UP-030"
    hint_text = "the owned target's answer is the one that counts"
    outcome: ClassVar[str] = "refused_by_model"


class StateElsewhere(NotTranslatable):
    """The call leans on what a target keeps of earlier calls, or wants it kept, and here that is not sure."""

    code = "FH-REQ-030"
    hint_text = "send the whole conversation with each call, or name a route with one target that keeps it itself"
