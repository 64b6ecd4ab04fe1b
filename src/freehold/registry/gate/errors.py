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


class NotConverted(BadArtefact):
    """A file's tensors cannot be written as safetensors without losing something of it."""

    code = "FH-ART-022"
    hint_text = "save its tensors alone, by name, as safetensors, where the model was made"


class NoTensors(NotConverted):
    """A file is a checkpoint's by its form and holds no tensor: settings of a training run, say."""

    code = "FH-ART-023"
    hint_text = "leave it out: freehold models add SOURCE --only '*.safetensors'"
