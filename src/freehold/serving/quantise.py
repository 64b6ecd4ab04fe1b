"""Re-quantise a GGUF model with numpy alone.

Every step is exact IEEE arithmetic on single values, so the same source gives the same bytes on any machine
and the result can be pinned. Q8_0 because it is the fastest of what engines load here, and loses nothing of Q4_1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Progress = Callable[[float], None]
"""Told the fraction that is done, 0 to 1."""

_FILE_TYPE_Q8_0 = 7
"""`general.file_type` of a mostly-Q8_0 file (llama.cpp, enum llama_ftype)."""


def to_q8_0(source: Path, target: Path, progress: Progress = lambda _: None) -> None:
    """Write `source` to `target` with every 4-bit or 5-bit matrix as Q8_0; all else stays as it is.

    Merging trained deltas into the result is no use where the source was coarser: quantise from the merged
    full-precision weights instead. Raises ValueError where `source` is no GGUF file.
    """
    from gguf import GGUFReader, GGUFWriter

    reader = GGUFReader(source)
    writer = GGUFWriter(target, text_of(reader, "general.architecture"))
    copy_fields(reader, writer)
    writer.add_file_type(_FILE_TYPE_Q8_0)
    for count, tensor in enumerate(reader.tensors, 1):
        _copy_tensor(writer, tensor)
        progress(count / len(reader.tensors))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def text_of(reader: Any, key: str) -> str:
    """A text field of a GGUF file. Raises ValueError where it is not there."""
    field = reader.get_field(key)
    if field is None:
        raise ValueError(f"the file names no {key}")
    return str(field.contents())


def copy_fields(reader: Any, writer: Any) -> None:
    """Every field but the architecture and the file type, which a writer states itself."""
    from gguf import GGUFValueType

    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in {"general.architecture", "general.file_type"}:
            continue
        inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], inner)


def _copy_tensor(writer: Any, tensor: Any) -> None:
    from gguf import GGMLQuantizationType, quants

    coarse = {GGMLQuantizationType[name] for name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1")}
    if tensor.tensor_type in coarse:
        values = quants.dequantize(tensor.data, tensor.tensor_type)
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(tensor.name, quants.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
