"""The formats the gate knows, the most telling signatures first: the first that knows a file looks at it.

Invariant: a file that none of them knows is never allowed.
"""

from __future__ import annotations

from freehold.registry.gate import compressed, numpy_files, pickles, tars, torch_files, zips
from freehold.registry.gate.types import Format

FORMATS: tuple[Format, ...] = (
    compressed.REFUSED,
    numpy_files.FORMAT,
    # zip archives with a meaning of their own stand before the plain ones
    torch_files.FORMAT,
    zips.FORMAT,
    tars.FORMAT,
    compressed.FORMAT,
    # what has no magic, from the strictest to the loosest
    pickles.LEGACY,
    pickles.JOBLIB,
    pickles.PICKLE,
)
