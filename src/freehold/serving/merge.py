"""A base and its adapter as one GGUF model, to leave with; refused where the coarser numbers would undo the training.

What training changed is small beside the weights: rounded to the grid of a coarse base it is gone, and nothing but
the answers would tell. So the part of the change that survives is measured, matrix by matrix, before a file is left.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from freehold.core.errors import BadArtefact
from freehold.serving import adapter_gguf
from freehold.serving.quantise import Progress, copy_fields, text_of

Precision = Literal["F16", "Q8_0", "Q4_0"]
PRECISIONS: tuple[Precision, ...] = ("F16", "Q8_0", "Q4_0")
LEAST_KEPT = 0.9
"""Below it a merged model was measured to lose its task; the accuracy of what is served decides even above."""
_FILE_TYPES: dict[Precision, int] = {"F16": 1, "Q4_0": 2, "Q8_0": 7}
"""`general.file_type` (llama.cpp, enum llama_ftype)."""


class Kept(msgspec.Struct, frozen=True):
    """How much of the change is in the file: 1 is all of it. `worst` is the matrix that kept least."""

    whole: float
    worst: float
    matrix: str


class Tally:
    """Adds up what is kept: sum of <W_q - W_0, D> over sum of <D, D>, for the matrices' changes D."""

    def __init__(self) -> None:
        self._kept = self._wanted = 0.0
        self._worst = (float("inf"), "")

    def add(self, name: str, before: Any, after: Any, delta: Any) -> None:
        """One matrix before and after, both as the engine will see them, and the change that was trained."""
        wanted = float(np.vdot(delta, delta))
        if wanted == 0:
            return
        kept = float(np.vdot(after - before, delta))
        self._kept += kept
        self._wanted += wanted
        self._worst = min(self._worst, (kept / wanted, name))

    def result(self) -> Kept:
        """All of it; 1 where nothing was to be kept."""
        if not self._wanted:
            return Kept(1.0, 1.0, "")
        return Kept(self._kept / self._wanted, *self._worst)


def merge(base: Path, adapter: Path, target: Path, precision: Precision, progress: Progress = lambda _: None) -> Kept:
    """Write `base` with the GGUF `adapter` in its weights to `target`, its matrices in `precision`.

    Raises BadArtefact where the adapter is not this base's, or less than LEAST_KEPT of it would be left; no file is.
    """
    from gguf import GGUFReader, GGUFWriter

    told = adapter_gguf.read(adapter)
    reader = GGUFReader(base)
    names = {one.name for one in reader.tensors}
    if strange := sorted(set(told.pairs) - names):
        raise BadArtefact(f"{base.name} has no {strange[0]}: the adapter is another base's")
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    writer = GGUFWriter(temporary, text_of(reader, "general.architecture"))
    copy_fields(reader, writer)
    writer.add_file_type(_FILE_TYPES[precision])
    tally = Tally()
    try:
        for count, tensor in enumerate(reader.tensors, 1):
            _add(writer, tensor, told, precision, tally)
            progress(count / len(reader.tensors))
        kept = tally.result()
        if kept.whole < LEAST_KEPT:
            message = f"{precision} keeps {kept.whole:.0%} of what was trained (least: {kept.matrix} {kept.worst:.0%})"
            hint = "take a finer precision, or serve base and adapter side by side"
            raise BadArtefact(f"{message}; at least {LEAST_KEPT:.0%} must be left", hint=hint)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return kept


def _add(writer: Any, tensor: Any, told: adapter_gguf.Adapter, precision: Precision, tally: Tally) -> None:
    from gguf import GGMLQuantizationType, quants

    if len(tensor.shape) < 2:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        return
    kind = GGMLQuantizationType[precision]
    before = quants.dequantize(tensor.data, tensor.tensor_type)
    delta = told.delta(tensor.name) if tensor.name in told.pairs else None
    packed = quants.quantize(before if delta is None else before + delta, kind)
    if delta is not None:
        tally.add(tensor.name, before, quants.dequantize(packed, kind), delta)
    writer.add_tensor(tensor.name, packed, raw_dtype=kind)
