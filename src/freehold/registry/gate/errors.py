"""What ends a look at an artefact early. Invariant: whoever catches these answers `block`, never `allow`."""

from __future__ import annotations

from freehold.core.errors import BadArtefact


class Malformed(BadArtefact):
    """A file breaks the rules of its own format, so that two readers may see two different things in it."""

    code = "FH-ART-020"
    hint_text = "get the file again from its maker; where it breaks is told by: freehold models scan PATH"


class TooMuch(BadArtefact):
    """Looking at an artefact would cost more memory, time or unpacked bytes than is allowed."""

    code = "FH-ART-021"
    hint_text = "unpack the artefact yourself and have its parts looked at: freehold models scan FOLDER"
