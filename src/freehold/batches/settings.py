"""The table [batches]: callers' files and batches, and how hard they are worked on."""

from __future__ import annotations

from pydantic import Field

from freehold.core.section import Count, Flag, Seconds, Section


class BatchSettings(Section):
    """`/v1/files` and `/v1/batches`: many requests in one file, answered when there is time."""

    enabled: Flag = Field(default=True, description="Serve them; else their paths are unknown and no process runs.")
    workers: Count = Field(4, description="Lines of all batches that are under way at a time.")
    line_seconds: Seconds = Field(600.0, description="Longest wait for the answer to one line.")
    poll_seconds: Seconds = Field(60.0, description="How often a vendor is asked for a batch that was passed to it.")
    max_lines: Count = Field(50_000, description="Most lines of one batch.")
    max_waiting: Count = Field(100, description="Most batches of one key that have not ended.")
    file_days: Count = Field(
        30, description="Days until a file is erased; [capture] retention may say sooner by label."
    )
    key_mebibytes: Count = Field(2048, description="Most that one key's files may hold before it can upload no more.")
