"""The tables of evaluation: people's judgements, runs and their rows. Times are Unix seconds, money whole picodollars.

No content stands in a column: answers lie sealed with the ledger's bodies, under their record's id, and are erased
with it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, SmallInteger, String, Table, Text

from freehold.core.db import metadata

Id = LargeBinary(16)

judgements = Table(
    "annotations",
    metadata,
    Column("id", Id, primary_key=True, doc="A digest of what it says, so that the same is never kept twice."),
    Column("record", Id, nullable=False),
    Column("kind", String, nullable=False, doc="`answer`: what would be right; `score`: how good an answer is."),
    Column("target", String, nullable=False, doc="Whose answer is scored; empty for the recorded one."),
    Column("score", Double),
    Column("who", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_annotations_record", "record", "at"),
)

eval_runs = Table(
    "eval_runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Double, nullable=False),
    Column("workflow", String, nullable=False, index=True),
    Column("target", String, nullable=False),
    Column("plan", Text, nullable=False, doc="JSON: grader, window, budget and more."),
    Column("state", String, nullable=False, doc="`waiting`, `running`, `done`, `stopped`, `failed`."),
    Column("dataset", String, nullable=False, doc="SHA-256 of the examples, in hex; empty before they are chosen."),
    Column("examples", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("ended_at", Double),
    Column("error", Text, nullable=False),
    Column("scorecard", Text, nullable=False, doc="JSON; empty until there is one."),
)

eval_rows = Table(
    "eval_rows",
    metadata,
    Column("run", Id, primary_key=True),
    Column("record", Id, primary_key=True),
    Column("side", String, primary_key=True, doc="`candidate`, or `again`: the incumbent asked once more."),
    Column("target", String, nullable=False),
    Column("score", Double, doc="NULL where it could not be graded for a reason that is not the model's."),
    Column("reference_score", Double, doc="Of the incumbent's recorded answer, by the same reference."),
    Column("status", SmallInteger, nullable=False),
    Column("error", String, nullable=False, doc="What kind of failure; empty for an answer. Its text is kept sealed."),
    Column("latency", Double),
    Column("cost", BigInteger, doc="NULL where nobody said."),
    Column("input", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("composite", String, nullable=False),
    sqlite_with_rowid=False,
)
