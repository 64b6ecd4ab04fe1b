"""The trace a caller says its call belongs to: read from `traceparent`, written down, never handed on.

Source: W3C Trace Context, level 1, section 3.2. A header of another form is as good as none, as it says there.
"""

from __future__ import annotations

import re

_FORM = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-[!-~]*)?")


def trace_of(header: bytes) -> str:
    """`TRACE-PARENT`: the trace's id and the caller's span, 32 and 16 hexadecimal digits; empty for another form."""
    found = _FORM.fullmatch(header)
    if found is None or (found[1] == b"00" and found[4] is not None):
        return ""
    return (found[2] + b"-" + found[3]).decode()
