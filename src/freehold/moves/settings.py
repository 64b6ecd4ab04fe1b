"""The table [moves]: what a move's rule is where its start does not say otherwise."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from freehold.core.section import Count, Money, Section
from freehold.moves.types import Approval

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=0.5, allow_inf_nan=False)]


class MoveSettings(Section):
    """Defaults of the rule by which a workflow is moved; each move keeps the values it began with."""

    margin: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.03, description="Quality by which an owned model may be worse; 0.03 is three points."
    )
    alpha: Probability = Field(0.05, description="Greatest probability of a cut-over to a model that is worse by that.")
    futility: Probability = Field(0.05, description="Greatest probability of giving up on a model inside the margin.")
    harm: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.03, description="Once it serves, being worse by more than this is found and rolled back."
    )
    patience: Annotated[float, Field(ge=20)] = Field(
        25_000.0, description="Compared calls until a false alarm, at least, on average."
    )
    steps: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.05, 0.25, 0.5), description="Shares of the traffic in canary, in order."
    )
    first_look: Count = Field(
        200, description="Calls of the window a candidate is asked before it is compared on later ones, at most."
    )
    step_pairs: Count = Field(40, description="Least compared calls of a canary step before the next.")
    most_pairs: Count = Field(20_000, description="Compared calls after which an undecided shadow is refused.")
    holdback: Share = Field(0.02, description="Share that stays with the incumbent after cut-over, to keep measuring.")
    sample: Share = Field(1.0, description="Share of a shadow's and a canary's calls that are compared.")
    sample_owned: Share = Field(
        0.02, description="Share of the calls served after cut-over that the incumbent answers too, to compare."
    )
    approvals: tuple[Approval, ...] = Field((), description="Steps that wait for a person's approval.")
    budget: Money = Field(25, validate_default=True, description="US dollars that comparing may cost a move in all.")
    label_price: Money = Field(
        0, validate_default=True, description="US dollars one annotation by a person costs; counted against savings."
    )
