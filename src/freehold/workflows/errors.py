"""What can go wrong between a log file and the shelf. The first two are told in the reject file, one line each."""

from __future__ import annotations

from freehold.core.errors import BadRequest, Unavailable


class Unreadable(BadRequest):
    """A line or element of an imported file is not a call that can be read. Its reason quotes no content."""

    code = "FH-IMP-001"
    hint_text = "mend or leave out the line; what was read stays, and importing again adds only what is new"


class NotACall(BadRequest):
    """An element of an imported file is well-formed and no chat call: a span of another kind, an embedding."""

    code = "FH-IMP-002"
    hint_text = "nothing to do: it is counted as skipped"


class StorageFull(Unavailable):
    """An import found no room to write. What was written before is whole."""

    code = "FH-IMP-003"
    hint_text = "free space in the instance's home, then run the same import again: nothing is doubled"


class NotALog(BadRequest):
    """A file to import is in no form that can be read at all."""

    code = "FH-IMP-004"
    hint_text = "export it as JSON or JSON lines in UTF-8; gzip and zstd are read as they are"
