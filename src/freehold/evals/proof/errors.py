"""What can be wrong with a rule of proof or with what is fed to it."""

from __future__ import annotations

from freehold.core.errors import BadConfig


class BadProofRule(BadConfig):
    """A margin, a bound or an error rate of a proof is outside the range in which its guarantee holds."""

    code = "FH-CFG-040"
    hint_text = "margins and bounds lie between 0 and 1, error rates too; see: freehold moves start --help"


class BadProofValue(BadConfig):
    """A value given to a proof is not a number, or is outside the bounds that the proof was promised."""

    code = "FH-CFG-041"
    hint_text = "scores lie in [0, 1], differences of scores in [-1, 1]; look at the grader: freehold evals --help"
