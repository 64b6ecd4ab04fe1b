"""The formats the gate knows, the most telling signatures first: the first that knows a file looks at it.

Invariant: a file that none of them knows is never allowed.
"""

from __future__ import annotations

from freehold.registry.gate import (
    compressed,
    gguf,
    json_files,
    keras,
    media,
    numpy_files,
    onnx,
    pickles,
    safetensors,
    saved_model,
    sentencepiece,
    tars,
    templates,
    texts,
    torch_files,
    zips,
)
from freehold.registry.gate.types import Format

FORMATS: tuple[Format, ...] = (
    media.PROGRAM,
    compressed.REFUSED,
    gguf.FORMAT,
    keras.WEIGHTS,
    media.PICTURE,
    media.PAPER,
    numpy_files.FORMAT,
    # zip archives with a meaning of their own stand before the plain ones
    torch_files.FORMAT,
    keras.FORMAT,
    zips.FORMAT,
    tars.FORMAT,
    compressed.FORMAT,
    # what has no magic, from the strictest to the loosest
    safetensors.FORMAT,
    pickles.LEGACY,
    pickles.JOBLIB,
    onnx.FORMAT,
    saved_model.FORMAT,
    sentencepiece.FORMAT,
    json_files.FORMAT,
    templates.FORMAT,
    pickles.PICKLE,
    texts.FORMAT,
)
