"""The table [plan]: contract, hardware, objectives and assumptions of every plan, and of single workflows."""

from __future__ import annotations

import math
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from freehold.core.section import Count, Flag, Money, Name, Section
from freehold.planner.types import Precision

Three = tuple[float, float, float]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _rising(value: Three) -> Three:
    if not value[0] <= value[1] <= value[2] or not all(math.isfinite(one) for one in value):
        raise PydanticCustomError("three", "must be low, base and high in this order, and finite")
    return value


def _above_zero(value: Three) -> Three:
    if value[0] <= 0.0:
        raise PydanticCustomError("positive", "must lie above zero")
    return value


Rising = Annotated[Three, AfterValidator(_rising)]
"""Low, base and high."""
Rate = Annotated[Rising, AfterValidator(_above_zero)]
"""The same of what is divided by."""


class OwnPriceSettings(Section):
    """A price in writing, before every list."""

    model: str = Field(description="`provider/model`, such as `openai/gpt-4o`.", min_length=3)
    input: Money = Field(description="US dollars per million tokens of prompt.")
    output: Money = Field(description="US dollars per million tokens of answer.")
    cached: Money | None = Field(None, description="US dollars per million tokens of prompt read from a cache.")
    source: str = Field("freehold.toml", description="Where the price stands.")
    as_of: date = Field(description="Day it was agreed or read.")


class DiscountSettings(Section):
    """A share off list prices."""

    provider: str = Field(description="As the price book names it, such as `openai`.", min_length=1)
    share: Share = Field(description="0.2 is twenty percent off.")
    source: str = Field("freehold.toml", description="Which contract says so.")
    as_of: date = Field(description="Day it was agreed.")


class CommitmentSettings(Section):
    """Money owed to a provider each month, used or not."""

    provider: str = Field(description="As the price book names it, such as `openai`.", min_length=1)
    monthly: Money = Field(description="US dollars a month.")
    months: Count = Field(description="How many months it still runs.")
    source: str = Field("freehold.toml", description="Which contract says so.")
    as_of: date = Field(description="Day it was agreed or read.")


class RentSettings(Section):
    """What a provider of machines offers; where there is one for a plan's accelerator, the list is left aside."""

    provider: str = Field(description="Who offers it.", min_length=1)
    gpu: str = Field(description="Accelerator, such as `H100`.", min_length=1)
    usd_per_gpu_hour: Positive = Field(description="US dollars for an hour of one accelerator.")
    source: str = Field("freehold.toml", description="Where the offer stands.")
    as_of: date = Field(description="Day it was made.")


class PlanWorkflowSettings(Section):
    """What is known of one workflow; what is left out is as [plan] says, or as it was measured."""

    now: str = Field("", description="`provider/model` that serves it now.")
    closed: tuple[str, ...] = Field((), description="Other closed models to consider, as `provider/model`.")
    hosted: tuple[str, ...] = Field((), description="Open models at hosts to consider, as `provider/model`.")
    model: str = Field("", description="Open model to own: a public name, a folder or a file.")
    pass_rates: dict[str, Rising] = Field(
        default_factory=dict,
        description="Share of tasks that pass, by option (`nothing`, `closed`, `hosted_open`, `self_hosted`, "
        "`hybrid`): low, base and high. Stands before scorecards.",
    )
    difference_low: float | None = Field(
        None, description="Lower end of the measured quality difference to the incumbent; -0.03 is three points worse."
    )
    label: str = Field("", description="Its label, such as `confidential:GDPR`.")
    rented_allowed: Flag | None = Field(None, description="Whether any rented target may take it.")
    stable: Flag | None = Field(None, description="Whether it is a settled task.")
    days: Positive | None = Field(None, description="Days of traffic that the trace stands for.")
    skills: Flag | None = Field(None, description="Whether there are people who can run models for it.")
    fine_tuning: Flag | None = Field(None, description="Whether an untuned open model is known not to do.")
    refusals: Share | None = Field(None, description="Share of its calls that the incumbent refuses.")


class PlanSettings(Section):
    """What plans are made from, beside traffic and prices."""

    now: str = Field("", description="`provider/model` that serves traffic of unknown target now.")
    closed: tuple[str, ...] = Field(
        ("openai/gpt-5-mini",),
        description="Other closed models to consider, as `provider/model`, tuned ones too.",
    )
    hosted: tuple[str, ...] = Field(
        (), description="Open models at hosts, as `provider/model`; where empty, the cheapest hosts of `model`."
    )
    model: str = Field("Llama-3.1-8B", description="Open model to own: a public name, a folder or a file.")
    gpu: str = Field("H100", description="Accelerator to run it on; see `freehold fit --help`.")
    gpus: Annotated[int, Field(strict=True, ge=0)] = Field(
        0, description="Accelerators of one replica; 0 for the fewest on which it fits."
    )
    precision: Precision = Field("fp8", description="Of the weights: `bf16`, `fp8`, `int8`, `int4` or `fp4`.")
    ttft_seconds: Positive = Field(2.0, description="Seconds within which an answer is to begin.")
    tpot_seconds: Positive = Field(0.1, description="Seconds for each further token.")
    slo_share: Annotated[float, Field(gt=0, lt=1)] = Field(0.99, description="Share of calls that keep both.")
    months: Annotated[int, Field(strict=True, ge=1, le=120)] = Field(36, description="Months that a plan looks ahead.")
    draws: Annotated[int, Field(strict=True, ge=100, le=100_000)] = Field(10_000, description="Random draws.")
    seed: Annotated[int, Field(strict=True, ge=0)] = Field(1, description="Seed of the draws.")
    currency: str = Field("USD", description="Currency of the plan's figures.", min_length=3, max_length=3)
    usd_per_unit: Rate = Field((1.0, 1.0, 1.0), description="US dollars for one unit of `currency`: low, base, high.")
    provider: str = Field("", description="Whose machines are rented, such as `aws`; any where empty.")
    skills: Flag | None = Field(None, description="Whether there are people who can run models.")
    assumptions: dict[str, Rising] = Field(
        default_factory=dict,
        description="Your own ranges by name, such as `platform_fte = [0.5, 1, 2]`; a plan lists all names.",
    )
    prices: tuple[OwnPriceSettings, ...] = Field((), description="Prices in writing.")
    discounts: tuple[DiscountSettings, ...] = Field((), description="Shares off list prices.")
    commitments: tuple[CommitmentSettings, ...] = Field((), description="Money that is owed, used or not.")
    rents: tuple[RentSettings, ...] = Field((), description="Offers of machines.")
    workflows: dict[Name, PlanWorkflowSettings] = Field(
        default_factory=dict, description="What is known of single workflows, by name."
    )
