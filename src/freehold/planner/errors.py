"""Errors of planning; each names the row or field at fault."""

from __future__ import annotations

from freehold.core.errors import BadArtefact, BadRequest, NotFound


class PlanError(BadRequest):
    """A plan was asked for with inputs that make no sense. Nothing was planned."""

    code = "FH-PLN-001"
    hint_text = "see what a plan takes: freehold plan --help, and [plan] in freehold.toml"


class BadTrace(PlanError):
    """A trace of traffic is empty, or a row of it cannot be read."""

    code = "FH-PLN-002"
    hint_text = "one row a request: arrival in seconds, input tokens, output tokens; see docs/how-to/plan.md"


class UnknownGpu(NotFound):
    """No row of the hardware book has this accelerator."""

    code = "FH-PLN-003"
    hint_text = "name one of the hardware book: freehold fit --help"


class UnknownShape(PlanError):
    """What was given is no model whose shape can be read: no known name, config.json, safetensors or GGUF file."""

    code = "FH-PLN-004"
    hint_text = "give a folder with config.json, a .safetensors or .gguf file, or a public model's name"


class Unpriced(NotFound):
    """Neither the price book nor the contract has a price for this model on that day."""

    code = "FH-PLN-005"
    hint_text = "see what is priced: freehold prices; or add it to [plan] prices in freehold.toml"


class BadAssumption(PlanError):
    """An assumption is unknown, out of order, or out of its bounds."""

    code = "FH-PLN-006"
    hint_text = "give low, base and high in this order; see [plan] assumptions in freehold.toml"


class BadPlan(BadArtefact):
    """A file is no plan, was changed since it was written, or is of a version that is not known here."""

    code = "FH-PLN-007"
    hint_text = "make it anew: freehold plan --out plan.json"
