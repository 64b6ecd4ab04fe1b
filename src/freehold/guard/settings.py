"""The tables [guard.*]: what a route's calls are scanned for, and what a finding leads to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from freehold.core.label import parse_label
from freehold.core.section import Flag, Name, OptionalLabel, Section
from freehold.guard.built_in import NAMES, built_in
from freehold.guard.types import Custom, Profile, Rule

Score = Annotated[float, Field(ge=0, le=1)]


class GuardRuleSettings(Section):
    """What findings lead to. The first rule of the profile that fits a finding decides."""

    detector: str = Field(
        description="Who finds: `pii`, `secrets`, `injection`, `custom`, ...; see freehold guard list."
    )
    kinds: tuple[str, ...] = Field(
        (), description="Kinds of findings, such as `EMAIL`; empty for all of the detector's."
    )
    directions: tuple[Literal["in", "out"], ...] = Field(
        ("in", "out"), description="`in`: what goes to a model. `out`: what comes back."
    )
    sources: tuple[Literal["system", "user", "assistant", "tool", "document"], ...] = Field(
        (), description="Who wrote the text; empty for anybody."
    )
    action: Literal["pass", "flag", "redact", "pseudonymise", "block", "raise", "ask"] = Field(
        "flag",
        description="`pass` ignores, `flag` writes down, `redact` puts the kind in its place, `pseudonymise` puts a "
        "stand-in there and turns it back in the answer, `block` refuses, `raise` joins `label` to the call's, `ask` "
        "holds calls of tools for a person.",
    )
    label: OptionalLabel = Field("", description="What `raise` joins to the call's label, such as restricted:HIPAA.")
    at_least: Score = Field(0.5, description="Findings with a lower score are ignored.")

    @model_validator(mode="after")
    def _labelled(self) -> GuardRuleSettings:
        if self.action == "raise" and not self.label:
            raise PydanticCustomError("label", "a rule that raises the label needs one: label = ...")
        return self


class CustomSettings(Section):
    """Something of your own to look for: found by the detector `custom`, under this name as its kind."""

    name: Name = Field(description="Name; the kind of its findings.")
    pattern: str = Field("", description="A regular expression in RE2's syntax.", max_length=2000)
    words: tuple[str, ...] = Field((), description="Words or phrases, in any case.", max_length=2000)


class GuardSettings(Section):
    """A profile. Routes name it in `guard`, [policy] for all of them."""

    like: Literal["", "protect", "pseudonymise", "strict", "watch"] = Field(
        "", description="A profile that comes with Freehold, whose rules come after these."
    )
    rules: tuple[GuardRuleSettings, ...] = Field((), description="What findings lead to; the first that fits decides.")
    custom: tuple[CustomSettings, ...] = Field((), description="Patterns and words of your own.")
    on_failure: Literal["raise", "block"] | None = Field(
        None,
        description="Where a detector fails or is too slow: `raise` makes the label unknown, which no rented target "
        "takes; `block` refuses the call. Without it as in `like`, else `raise`.",
    )
    schema_: Literal["pass", "flag", "block"] = Field(
        "pass",
        alias="schema",
        description="What an answer leads to that does not follow the JSON schema its caller asked for.",
    )
    reroute_refusals: Flag = Field(
        default=False, description="Ask the next owned target of the route where a rented model refused."
    )
    system: str = Field("", description="A system text put before every call's own.")


def profile(name: str, one: GuardSettings) -> Profile:
    """A profile of the file as the gateway has it."""
    base = built_in(one.like) if one.like else None
    return Profile(
        name=name,
        rules=(*(_rule(each) for each in one.rules), *(base.rules if base else ())),
        custom=tuple(Custom(name=each.name, pattern=each.pattern, words=each.words) for each in one.custom),
        on_failure=one.on_failure or (base.on_failure if base else "raise"),
        schema=one.schema_,
        reroute_refusals=one.reroute_refusals,
        system=one.system,
    )


def profiles(declared: dict[str, GuardSettings]) -> tuple[Profile, ...]:
    """Every profile there is, sorted by name: those of the file, and those that come with Freehold."""
    own = [profile(name, one) for name, one in declared.items()]
    given = [found for name in NAMES if name not in declared and (found := built_in(name)) is not None]
    return tuple(sorted([*own, *given], key=lambda one: one.name))


def _rule(one: GuardRuleSettings) -> Rule:
    return Rule(
        detector=one.detector,
        kinds=one.kinds,
        directions=one.directions,
        sources=one.sources,
        action=one.action,
        label=parse_label(one.label) if one.label else None,
        at_least=one.at_least,
    )
