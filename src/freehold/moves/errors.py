"""Errors of moves."""

from __future__ import annotations

from freehold.core.errors import Conflict


class NotMature(Conflict):
    """The workflow is no settled task, or not yet: what is moved now may not be what is asked next month."""

    code = "FH-CON-012"
    hint_text = "see each term: freehold workflows show WORKFLOW"
