"""Checks an exported audit log of Freehold, or one receipt, without Freehold: this file and `cryptography` suffice.

python verify_audit.py FOLDER --public-key HEX [--outside FOLDER]...    a log written by `freehold audit export`
python verify_audit.py receipt.json --public-key HEX                    one receipt

Exit code 0: everything holds. 4: something was changed, taken away, moved or cut off; it says what.
Tree: RFC 9162, section 2.1. Checkpoints: C2SP signed-note and tlog-checkpoint, Ed25519.
Bring the key and the outside checkpoints by another way than what is to be checked.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from functools import reduce
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DASH = "\N{EM DASH} "
REFUSED = (InvalidSignature, AttributeError, IndexError, KeyError, TypeError, ValueError)


def expect(holds: object, message: str) -> None:
    """Raises ValueError unless it holds."""
    if not holds:
        raise ValueError(message)


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def leaf_hash(salt: str, statement: object) -> bytes:
    """Hash of one leaf: 0x00, 16 bytes of salt, the statement as canonical JSON."""
    raw = bytes.fromhex(salt)
    expect(len(raw) == 16 and raw.hex() == salt, "its salt is not 16 bytes in hex")
    return sha256(b"\x00" + raw + canonical(statement)).digest()


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces; numbers are whole."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def root_over(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to."""
    if size == 1:
        expect(index == 0 and not path, "the proof is of another length")
        return leaf
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        return node(root_over(leaf, index, split, path[:-1]), path[-1])
    return node(path[-1], root_over(leaf, index - split, size - split, path[:-1]))


def read_note(note: str, key: bytes) -> tuple[int, bytes, int]:
    """Size, root and size of the kept one before, of a checkpoint that this key signed as this log's."""
    origin = f"freehold/{sha256(key).hexdigest()[:16]}"
    body, mark, signatures = note.partition("\n\n")
    lines = signatures.split("\n")
    expect(mark and lines.pop() == "" and all(one.startswith(DASH) for one in lines), "it is no signed note")
    hint = sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    blobs = [base64.b64decode(one.rpartition(" ")[2]) for one in lines]
    ours = [b for b, one in zip(blobs, lines, strict=True) if one == f"{DASH}{origin} {base64.b64encode(b).decode()}"]
    expect(ours and ours[0][:4] == hint, f"it is not signed by {origin}")
    Ed25519PublicKey.from_public_bytes(key).verify(ours[0][4:], f"{body}\n".encode())
    said = body.split("\n")
    expect(said[0] == origin, "it is of another log")
    previous = [int(one.partition(" ")[2]) for one in said[3:] if one.startswith("freehold-previous ")]
    return int(said[1]), base64.b64decode(said[2], validate=True), previous[0] if previous else 0


def checkpoints(folder: Path, key: bytes, problems: list[str]) -> dict[int, tuple[bytes, int]]:
    """Root and size before it by size, of every note in a folder."""
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            size, root, previous = read_note(path.read_bytes().decode(), key)
            expect(path.name == f"{size:020d}.note", f"it holds the checkpoint of size {size}")
            found[size] = (root, previous)
        except REFUSED as error:
            problems.append(f"{path}: {str(error) or 'the signature does not hold'}")
    if not found:
        problems.append(f"{folder}: it holds no good checkpoint")
    return found


def spread(text: str) -> set[int]:
    """Leaves out of text such as `3,7-9`."""
    parts = [one.partition("-") for one in text.split(",")] if text else []
    return {leaf for first, _, last in parts for leaf in range(int(first), int(last or first) + 1)}


class Log:
    """What the entries of an exported folder say; `peaks` are the roots of the tree's perfect subtrees so far."""

    def __init__(self) -> None:
        self.size, self.begun = 0, list[str]()
        self.peaks, self.roots = list[bytes](), dict[int, bytes]()
        self.erased, self.logged, self.ended = set[int](), set[int](), dict[str, str]()

    def hash_of(self, line: bytes) -> bytes:
        """The hash of the next entry."""
        entry = json.loads(line)
        expect(canonical(entry) == line and entry["leaf"] == self.size, "it is not the one that belongs there")
        if entry.keys() == {"leaf", "erased"}:
            self.erased.add(self.size)
            return bytes.fromhex(entry["erased"])
        expect(entry.keys() == {"leaf", "salt", "statement"}, "it holds something else")
        said = entry["statement"]
        if said.get("change") == "subject.erased":
            self.logged |= spread(json.loads(said["content"])["leaves"])
        self.begun += [said["intent"]] if "intent" in said else []
        self.ended |= {said["call"]: said["outcome"]} if "call" in said else {}
        return leaf_hash(entry["salt"], said)

    def add(self, leaf: bytes) -> None:
        """One more leaf, and the root with it."""
        count = self.size
        while count & 1:
            leaf, count = node(self.peaks.pop(), leaf), count >> 1
        self.peaks.append(leaf)
        self.size += 1

    def read(self, path: Path, sizes: set[int], problems: list[str]) -> None:
        """Every entry; the roots at these sizes are kept."""
        lines = path.read_bytes().split(b"\n")
        if lines.pop() != b"":
            problems.append("the last entry is cut")
        for line in lines:
            try:
                self.add(self.hash_of(line))
            except REFUSED as error:
                problems.append(f"entry {self.size}: {error}")
                self.add(bytes(32))
            if self.size in sizes:
                self.roots[self.size] = reduce(lambda right, left: node(left, right), reversed(self.peaks))


def check_log(folder: Path, key: bytes, outside: list[Path]) -> tuple[list[str], list[str]]:
    """Problems of an exported log, and remarks."""
    same = (folder / "public.key").read_bytes() == f"{key.hex()}\n".encode()
    problems = [] if same else ["public.key: it is another key than the one given"]
    inside = checkpoints(folder / "checkpoints", key, problems)
    public = [checkpoints(one / sha256(key).hexdigest()[:16], key, problems) for one in outside]
    signed = [(size, root, "") for size, (root, _) in inside.items()]
    signed += [(size, root, "outside ") for one in public for size, (root, _) in one.items()]
    log, held = Log(), 0
    log.read(folder / "entries.jsonl", {size for size, _, _ in signed}, problems)
    for size, root, where in sorted(signed):
        if size > log.size:
            problems.append(f"{where}checkpoint {size}: {size - log.size} entries at the end are gone")
        elif log.roots.get(size) != root:
            problems.append(f"{where}checkpoint {size}: from entry {held} on, something was changed or taken away")
        else:
            held = size
    problems += [f"checkpoint {one}: it is gone" for one in {before for _, before in inside.values()} - {0, *inside}]
    problems += [f"entry {one}: erased, and no erasure of it is logged" for one in sorted(log.erased - log.logged)]
    remarks = [f"{call}: begun, and never ended" for call in log.begun if log.ended.get(call, "lost") == "lost"]
    newest = max((size for one in public for size in one), default=0)
    told = f"{log.size} entries, {held} signed, {newest} under outside checkpoints, {len(log.erased)} erased"
    return problems, [*remarks, told]


def check_receipt(path: Path, key: bytes) -> list[str]:
    """Raises one of `REFUSED` where the receipt does not hold; remarks."""
    found = json.loads(path.read_bytes())
    size, root, _ = read_note(found["checkpoint"], key)
    expect(0 <= found["leaf"] < size, "it is of no leaf that was signed")
    leaf, proof = leaf_hash(found["salt"], found["statement"]), [bytes.fromhex(one) for one in found["proof"]]
    expect(root_over(leaf, found["leaf"], size, proof) == root, "its statement is not in the log that was signed")
    return [f"the statement is entry {found['leaf']} of {size}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", type=Path)
    parser.add_argument("--public-key", required=True, type=bytes.fromhex)
    parser.add_argument("--outside", action="append", default=[], type=Path)
    given = parser.parse_args()
    try:
        if given.what.is_dir():
            problems, remarks = check_log(given.what, given.public_key, given.outside)
        else:
            problems, remarks = [], check_receipt(given.what, given.public_key)
    except (OSError, *REFUSED) as error:
        problems, remarks = [str(error) or "the signature does not hold"], []
    lines = [*(f"fail  {one}" for one in problems), *(f"note  {one}" for one in remarks), "bad" if problems else "good"]
    print("\n".join(ascii(one)[1:-1] for one in lines))
    return 4 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
