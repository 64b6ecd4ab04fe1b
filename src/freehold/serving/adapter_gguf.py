"""A LoRA adapter of PEFT (safetensors and adapter_config.json) as the GGUF adapter that llama.cpp loads.

Names are those of llama.cpp's `llama` architecture. Query and key rows are put in its order: a wrong order loads
without a word and answers wrongly, so the tests hold it against a forward pass of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from freehold.core.errors import BadArtefact

Matrix = npt.NDArray[np.float32]

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""The two files of PEFT's folder."""

_MODULES = {
    "mlp.down_proj": "ffn_down",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "self_attn.k_proj": "attn_k",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_proj": "attn_q",
    "self_attn.v_proj": "attn_v",
}
_KEY = re.compile(r"(?:.*\.)?layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])(?:\.default)?\.weight\Z")


class Config(msgspec.Struct, frozen=True):
    """What is read of `adapter_config.json`; what would change the sum W + (alpha / r) B A otherwise is refused."""

    r: int
    lora_alpha: float
    peft_type: str = "LORA"
    bias: str = "none"
    use_rslora: bool = False
    use_dora: bool = False
    fan_in_fan_out: bool = False
    modules_to_save: list[str] | None = None
    alpha_pattern: dict[str, float] | None = None
    rank_pattern: dict[str, int] | None = None


class Pair(msgspec.Struct, frozen=True):
    """The two factors of one matrix's change, in the engine's row order: `a` is (r, in), `b` is (out, r)."""

    a: Matrix
    b: Matrix


class Adapter(msgspec.Struct, frozen=True):
    """An adapter in the engine's terms: the change of a matrix is `alpha / r * b @ a` (Hu 2021, section 4.1)."""

    architecture: str
    alpha: float
    pairs: Mapping[str, Pair]
    """By the matrix's name in the base, such as `blk.0.attn_q.weight`."""

    def delta(self, name: str) -> Matrix:
        """What is added to the matrix `name` of the base, of its shape (out, in)."""
        pair = self.pairs[name]
        made: Matrix = np.float32(self.alpha / pair.a.shape[0]) * (pair.b @ pair.a)
        return made


def convert(folder: Path, base: Path, target: Path) -> Adapter:
    """Write PEFT's `folder` as a GGUF adapter (16-bit floats) for the GGUF model `base`.

    Raises BadArtefact for what is no LoRA of plain linear layers, or does not fit the base.
    """
    adapter = from_peft(folder, base)
    write(adapter, target)
    return adapter


def from_peft(folder: Path, base: Path) -> Adapter:
    """Read PEFT's `folder` as an adapter of the GGUF model `base`. Raises BadArtefact as `convert` does."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config = msgspec.json.decode((folder / CONFIG).read_bytes(), type=Config)
        tensors = load_file(folder / WEIGHTS)
    except (msgspec.DecodeError, SafetensorError, FileNotFoundError, TypeError) as error:
        # TypeError: numpy has no 16-bit brain floats
        raise BadArtefact(f"{folder.name} is no LoRA adapter: {error}", param=str(folder)) from None
    _plain(config)
    heads = Heads.of(base)
    halves: dict[str, dict[str, Matrix]] = {}
    for key, value in sorted(tensors.items()):
        found = _KEY.match(key)
        if found is None or found[2] not in _MODULES:
            raise BadArtefact(f"no place for the tensor {key} in a {heads.architecture} adapter")
        name = f"blk.{int(found[1])}.{_MODULES[found[2]]}.weight"
        halves.setdefault(name, {})[found[3]] = value.astype(np.float32)
    pairs = {name: _pair(name, two, heads) for name, two in halves.items()}
    if not pairs:
        raise BadArtefact(f"{folder.name} holds no adapter's tensors", param=str(folder))
    if config.use_rslora:  # it scales by alpha / sqrt(r) (Kalajdzievski 2023)
        pairs = {name: Pair(one.a, one.b * np.float32(np.sqrt(one.a.shape[0]))) for name, one in pairs.items()}
    return Adapter(heads.architecture, config.lora_alpha, pairs)


def write(adapter: Adapter, target: Path) -> None:
    """Write the GGUF file; the same adapter gives the same bytes. Raises BadArtefact where 16 bits cannot hold it."""
    from gguf import GGUFWriter

    writer = GGUFWriter(target, adapter.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", adapter.alpha)
    for name, pair in sorted(adapter.pairs.items()):
        for half, values in (("a", pair.a), ("b", pair.b)):
            with np.errstate(over="ignore"):
                small = values.astype(np.float16)
            if not np.isfinite(small).all():
                raise BadArtefact(f"{name} holds numbers that are none, or too large: the training went wrong")
            writer.add_tensor(f"{name}.lora_{half}", small)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path) -> Adapter:
    """A GGUF adapter back. Raises BadArtefact for another file."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
        architecture, alpha = _field(reader, "general.architecture"), float(_field(reader, "adapter.lora.alpha"))
    except (ValueError, IndexError) as error:
        raise BadArtefact(f"{path.name} is no GGUF adapter: {error}", param=str(path)) from None
    halves: dict[str, dict[str, Matrix]] = {}
    for tensor in reader.tensors:
        name, _, half = tensor.name.rpartition(".lora_")
        halves.setdefault(name, {})[half] = np.asarray(tensor.data, np.float32)
    return Adapter(str(architecture), alpha, {name: Pair(two["a"], two["b"]) for name, two in halves.items()})


class Heads(msgspec.Struct, frozen=True):
    """What of the base an adapter must fit: its heads, and its matrices' shapes (out, in) by name."""

    architecture: str
    queries: int
    keys: int
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, base: Path) -> Heads:
        """Read them. Raises BadArtefact for a base of another architecture."""
        from gguf import GGUFReader

        try:
            reader = GGUFReader(base)
            architecture = str(_field(reader, "general.architecture"))
            queries = int(_field(reader, f"{architecture}.attention.head_count"))
            keys = int(_field(reader, f"{architecture}.attention.head_count_kv", queries))
        except (ValueError, IndexError) as error:
            raise BadArtefact(f"{base.name} is no GGUF model: {error}", param=str(base)) from None
        if architecture != "llama":
            raise BadArtefact(f"adapters of the architecture {architecture!r} are not converted here")
        shapes = {one.name: tuple(int(size) for size in reversed(one.shape)) for one in reader.tensors}
        return cls(architecture, queries, keys, shapes)


def engine_rows(rows: Matrix, heads: int) -> Matrix:
    """Rows of a query or key projection in the engine's order, per head: rotary pairs side by side, not in halves."""
    size = rows.shape[0] // heads
    return np.ascontiguousarray(rows.reshape(heads, 2, size // 2, -1).swapaxes(1, 2).reshape(rows.shape))


def _pair(name: str, halves: Mapping[str, Matrix], heads: Heads) -> Pair:
    if set(halves) != {"A", "B"}:
        raise BadArtefact(f"the adapter has only half of {name}")
    a, b = halves["A"], halves["B"]
    wanted = heads.shapes.get(name)
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1] or (b.shape[0], a.shape[1]) != wanted:
        raise BadArtefact(f"the adapter's {name} is {b.shape} x {a.shape}, and the base's is {wanted}")
    if ".attn_q." in name:
        b = engine_rows(b, heads.queries)
    elif ".attn_k." in name:
        b = engine_rows(b, heads.keys)
    return Pair(a, b)


def _plain(config: Config) -> None:
    odd = {
        "peft_type": config.peft_type != "LORA",
        "bias": config.bias != "none",
        "use_dora": config.use_dora,
        "fan_in_fan_out": config.fan_in_fan_out,
        "modules_to_save": bool(config.modules_to_save),
        "alpha_pattern": bool(config.alpha_pattern),
        "rank_pattern": bool(config.rank_pattern),
    }
    found = [name for name, is_odd in odd.items() if is_odd]
    if found or config.r < 1:
        raise BadArtefact(f"the engine serves plain LoRA only: {', '.join(found) or 'r'} says otherwise", param=CONFIG)


def _field(reader: Any, key: str, default: object = None) -> Any:
    found = reader.get_field(key)
    if found is None and default is None:
        raise ValueError(f"the file names no {key}")
    return default if found is None else found.contents()
