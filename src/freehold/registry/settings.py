"""The tables [licensee] and [models]: who runs this installation, what owned models are for, and what may come in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from freehold.core.section import Flag, Secret, Section
from freehold.registry.papers.licences import Licensee, Policy, Use

Whole = Annotated[int, Field(strict=True, ge=0)]
Entries = tuple[Annotated[str, Field(min_length=1)], ...]


class LicenseeSettings(Section):
    """Facts about you that licences of models ask for. What is left out is unknown, and then a person decides."""

    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = Field(
        "", description="Country of your seat, as two letters: `DE`."
    )
    monthly_users: Whole | None = Field(
        None, description="Monthly users of all your products, affiliates' included, in the month a model came out."
    )
    revenue_usd: Whole | None = Field(None, description="Revenue in US dollars a year, affiliates' included.")
    commercial: Flag | None = Field(None, description="Owned models serve a business.")
    trains_on_outputs: Flag | None = Field(None, description="Answers of owned models train other models.")
    redistributes: Flag | None = Field(
        None, description="Weights, or what is made of them, are passed on to others outside your house."
    )

    @property
    def licensee(self) -> Licensee:
        """As the decision takes it."""
        return Licensee(country=self.country, monthly_users=self.monthly_users, revenue_usd=self.revenue_usd)

    @property
    def use(self) -> Use:
        """As the decision takes it."""
        return Use(
            commercial=self.commercial, trains_on_outputs=self.trains_on_outputs, redistributes=self.redistributes
        )


class ModelsSettings(Section):
    """What may come into the store. Licences are named by SPDX id, as a model hub does (`llama3.1`), or by kind
    (`open`, `copyleft`, `network-copyleft`, `no-derivatives`, `community`, `use-restricted`, `research`).
    """

    refused: Entries = Field((), description="Licences that are never let in.")
    asked: Entries = Field((), description="Licences for which a person looks at each model.")
    read: Entries = Field(
        (), description="Licences whose text somebody of yours has read, where the table that comes along is unsure."
    )
    agreements: Entries = Field(
        (), description="Licences with whose makers you have an agreement of your own in place of their limits."
    )
    unknown_licence: Literal["review", "block"] = Field(
        "review", description="What comes of a licence that nobody names or knows."
    )
    unsigned: Literal["allow", "review", "block"] = Field(
        "allow", description="What comes of files whose maker's signature was not checked."
    )
    signers: Entries = Field(
        (),
        description="Public keys (PEM files, relative to this file) whose signatures over models count.",
    )
    authorities: Entries = Field(
        (),
        description="Certificate authorities (PEM files, relative to this file) whose signers' signatures count.",
    )
    hub: str = Field("", description="Address of the model hub that `hf:owner/name` is fetched from; none by default.")
    credentials: dict[str, Secret] = Field(
        default_factory=dict,
        description="Credentials of registries (`user:password`) and of the hub (a token), by host: references.",
    )

    @property
    def policy(self) -> Policy:
        """What is wanted of licences, as the decision takes it."""
        return Policy(
            refused=self.refused,
            asked=self.asked,
            read=self.read,
            agreements=self.agreements,
            unknown=self.unknown_licence,
        )
