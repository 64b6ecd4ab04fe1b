"""The tables of batches. Contents lie in `bodies` under the file's id."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, String, Table, Text

from freehold.core.db import metadata

batch_files = Table(
    "batch_files",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("purpose", String(32), nullable=False, doc="`batch` or `batch_output`."),
    Column("name", String, nullable=False, doc="As its maker calls it."),
    Column("bytes", BigInteger, nullable=False),
    Column("label", String, nullable=False),
    Column("stated", String, nullable=False, doc="The label that the upload stated; empty for none."),
    Column("subject", String, nullable=False, doc="Under whose key it is sealed; empty for none."),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index("ix_batch_files_key_id_id", "key_id", "id"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("team", String, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("endpoint", String, nullable=False),
    Column("model", String, nullable=False, doc="Of every line; empty where they differ or are not read yet."),
    Column("label", String, nullable=False),
    Column("input_file", LargeBinary(16), nullable=False),
    Column("output_file", LargeBinary(16)),
    Column("error_file", LargeBinary(16)),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("times", Text, nullable=False, doc="JSON: when it came to each status."),
    Column("usage", Text, nullable=False, doc="JSON: tokens, as the answers tell."),
    Column("problems", Text, nullable=False, doc="JSON list: why it failed, without content."),
    Column("sealed", LargeBinary, nullable=False, doc="What its maker said of it: headers, metadata."),
    Index("ix_batches_key_id_id", "key_id", "id"),
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch", LargeBinary(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, doc="Of the line in the input, from 1."),
    Column("good", Boolean, nullable=False, doc="Answered with 200."),
    Column("sealed", LargeBinary, nullable=False, doc="The line of the output or error file, packed."),
)

vendor_batches = Table(
    "vendor_batches",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("batch", LargeBinary(16), nullable=False, unique=True),
    Column("target", String, nullable=False),
    Column("form", String(32), nullable=False, doc="How the vendor takes batches."),
    Column("status", String(16), nullable=False),
    Column("file", String, nullable=False, doc="The vendor's id of the lines' file; empty before."),
    Column("remote", String, nullable=False, doc="The vendor's id of the batch; empty before."),
    Column("attempted_at", Double, nullable=False, doc="When it was last begun to send; 0 for never."),
    Column("tries", Integer, nullable=False),
    Column("cancelled", Boolean, nullable=False, doc="Was the vendor asked to cancel?"),
)

vendor_lines = Table(
    "vendor_lines",
    metadata,
    Column("passage", LargeBinary(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, doc="Of the line in the input, from 1."),
    Column("sealed", LargeBinary, nullable=False, doc="The line as it leaves, and how its call opens."),
    Column("settled", Boolean, nullable=False, doc="Stands the end of its call in the journal?"),
)
