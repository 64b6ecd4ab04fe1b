"""What goes wrong in evaluation."""

from __future__ import annotations

from freehold.core.errors import BadRequest, Conflict, Exhausted, FreeholdError, Unavailable


class JudgeRefused(Conflict):
    """A model judge agrees too little with people, or too few annotations say how much."""

    code = "FH-EVL-001"
    hint_text = "annotate more answers: freehold annotations import FILE; or choose another judge"


class DoorClosed(Unavailable):
    """The gateway does not answer evaluations; what was graded so far is kept."""

    code = "FH-EVL-002"
    hint_text = "see whether it runs: freehold doctor; the run goes on by itself once it does"


class DoorRefused(FreeholdError):
    """The gateway takes the evaluation's calls for a mistake of ours: its key or the target's name does not count."""

    code = "FH-EVL-003"
    hint_text = "see the targets: freehold routes list --targets"


class EvaluationBudget(Exhausted):
    """The run has spent what it may spend; what was graded so far is kept."""

    code = "FH-EVL-004"
    hint_text = "start it again with a larger --budget; nothing that was graded is asked again"


class NothingToEvaluate(BadRequest):
    """No recorded call with an answer is left to compare with."""

    code = "FH-EVL-005"
    hint_text = "import a log: freehold import FILE; or let calls be recorded: capture = true on the route"


class BadAnnotation(BadRequest):
    """A line of annotations cannot be read."""

    code = "FH-EVL-006"
    hint_text = 'one JSON object a line: {"record": "rec_...", "answer": "..."} or {"record": "rec_...", "score": 0.5}'
