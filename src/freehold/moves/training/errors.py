"""Errors of training."""

from __future__ import annotations

from freehold.core.errors import BadRequest, Conflict, Unavailable


class NothingToLearn(Conflict):
    """The answers of this workflow are not a choice out of a small set, so no classifier can give them."""

    code = "FH-CON-010"
    hint_text = "use the recipe lora or prompt, or a cascade"


class TooFewLessons(Conflict):
    """There are too few examples to learn from, or all have one answer."""

    code = "FH-CON-011"
    hint_text = "record or annotate more calls of this workflow first"


class BadOption(BadRequest):
    """A recipe was given an option it does not have, or a value that makes no sense."""

    code = "FH-REQ-010"
    hint_text = "see the recipe's options in the reference"


class NoBase(Unavailable):
    """A node of the cluster lacks the base model a recipe starts from, or has other bytes under its name."""

    code = "FH-AVA-011"
    hint_text = "bring the file to every node, under the same path; or content = false in [jobs], to train here"


class NoTrainer(Unavailable):
    """This recipe needs libraries that are not installed."""

    code = "FH-AVA-010"
    hint_text = "install them: pip install 'freehold[train]'"
