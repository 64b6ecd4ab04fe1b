"""Errors of moves."""

from __future__ import annotations

from freehold.core.errors import BadRequest, Conflict


class BadRule(BadRequest):
    """A move was to begin with a rule, or a plan, that makes no sense. Nothing was begun."""

    code = "FH-REQ-014"
    hint_text = "see what a rule may say: freehold moves start --help, and [moves] in freehold.toml"


class NotMature(Conflict):
    """The workflow is no settled task, or not yet: what is moved now may not be what is asked next month."""

    code = "FH-CON-012"
    hint_text = "see each term: freehold workflows show WORKFLOW"
