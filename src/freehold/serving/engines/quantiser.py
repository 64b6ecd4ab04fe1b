"""Writes a GGUF model's matrices in another type, by the embedded engine's own code; a process of its own.

`python -m freehold.serving.engines.quantiser SOURCE TARGET TYPE`. A matrix whose rows do not divide into the type's
blocks is written as Q8_0, and the last line printed says how many those are, so that nobody takes it for the pure type.
"""

from __future__ import annotations

import ctypes
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from freehold.core.process import die_with_parent

FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q4_1": 3, "Q4_K": 15, "Q5_0": 8, "Q5_1": 9, "Q5_K": 17, "Q6_K": 18, "Q8_0": 7}
"""`general.file_type` (llama.cpp, enum llama_ftype), by the type that is asked for."""
_FALLBACK = "Q8_0"


def library() -> Any:
    """The engine's library, for its quantiser alone. Raises OSError where it is not installed."""
    spec = find_spec("xllamacpp")
    folders = spec.submodule_search_locations if spec else None
    found = sorted(Path(folders[0]).glob("*.so")) if folders else []
    if not found:
        raise OSError("the embedded engine is not installed")
    loaded = ctypes.CDLL(str(found[0]))
    loaded.ggml_quantize_chunk.restype = ctypes.c_size_t
    loaded.ggml_quantize_chunk.argtypes = (
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    )  # fmt: skip
    return loaded


def quantised(engine: Any, values: Any, kind: Any) -> Any:
    """Rows of float32 as bytes of a type, shaped rows x bytes of a row. Raises ValueError for a size not foreseen."""
    from gguf.constants import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[kind]
    rows, width = int(np.prod(values.shape[:-1])), values.shape[-1]
    row = width // block * size
    source = np.ascontiguousarray(values, dtype=np.float32)
    made = np.zeros((rows, row), dtype=np.uint8)
    wrote = engine.ggml_quantize_chunk(int(kind), source.ctypes.data, made.ctypes.data, 0, rows, width, None)
    if wrote != made.nbytes:
        raise ValueError(f"{kind.name} came to {wrote} bytes where {made.nbytes} were expected")
    return made.reshape(*values.shape[:-1], row)


def requantise(source: Path, target: Path, wanted: str) -> dict[str, int]:
    """Write `source` to `target` in the type `wanted`; how many matrices are in which type.

    Raises ValueError for what is no GGUF model, KeyError for a type there is not.
    """
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, quants
    from gguf.constants import GGML_QUANT_SIZES

    from freehold.serving.quantise import copy_fields, text_of

    reader = GGUFReader(source)
    writer = GGUFWriter(target, text_of(reader, "general.architecture"))
    copy_fields(reader, writer)
    writer.add_file_type(FILE_TYPES[wanted])
    engine, counts = library(), dict[str, int]()
    for one in reader.tensors:
        if len(one.shape) < 2:
            writer.add_tensor(one.name, one.data, raw_dtype=one.tensor_type)
            continue
        kind = GGMLQuantizationType[wanted]
        if int(one.shape[0]) % GGML_QUANT_SIZES[kind][0]:
            kind = GGMLQuantizationType[_FALLBACK]
        counts[kind.name] = counts.get(kind.name, 0) + 1
        if kind == one.tensor_type:
            writer.add_tensor(one.name, one.data, raw_dtype=kind)
            continue
        values = quants.dequantize(one.data, one.tensor_type)
        if kind == GGMLQuantizationType.F16:
            writer.add_tensor(one.name, values.astype(np.float16))
        else:
            writer.add_tensor(one.name, quantised(engine, values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return counts


def main(arguments: list[str]) -> int:
    """Quantise, and print the counts as JSON. Exit 1 with the reason."""
    die_with_parent()
    source, target, wanted = arguments
    try:
        counts = requantise(Path(source), Path(target), wanted)
    except (KeyError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(counts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
