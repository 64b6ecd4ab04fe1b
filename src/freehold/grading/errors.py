"""What goes wrong in grading."""

from __future__ import annotations

from freehold.core.errors import FreeholdError


class GraderFailed(FreeholdError):
    """A grader could not grade: its options, or the reference it was given, make no sense to it."""

    code = "FH-GRD-001"
    hint_text = "choose another grader, or look at the reference: freehold evals show RUN"
