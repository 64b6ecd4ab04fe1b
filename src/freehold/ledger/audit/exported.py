"""Checks an exported log by a public key from elsewhere: the same rules as at home, on what the folder tells.

Of erased leaves it tells hashes alone: each must be named by an erasure that is logged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Verifier
from freehold.core.errors import NotFound
from freehold.ledger.audit import outside, verify
from freehold.ledger.audit.export import CHECKPOINTS, ENTRIES, KEY
from freehold.ledger.audit.leaves import ERASED, Leaf, spread
from freehold.ledger.audit.merkle import leaf_hash
from freehold.ledger.audit.offline import Report
from freehold.ledger.audit.verify import Problem, Signed
from freehold.ledger.receipts import entry_of

_SALT_BYTES = 16


def verify_export(folder: Path, folders: Sequence[Path], key: bytes) -> Report:
    """Check an exported folder, against outside checkpoints in `folders`. Raises NotFound where it is no export."""
    if not (folder / ENTRIES).exists():
        raise NotFound(f"{folder} holds no {ENTRIES}", hint="name a folder that freehold audit export made")
    verifier = Verifier(key)
    published, problems = outside.signed_in(folders, verifier)
    if not (folder / KEY).exists() or (folder / KEY).read_bytes() != f"{key.hex()}\n".encode():
        problems.append(Problem(str(folder / KEY), "is another key than the one this is checked by"))
    lines = list(_lines((folder / ENTRIES).read_bytes()))
    tiles = verify.grow([found for _, found in lines], []).tiles
    leaves = [one for one, _ in lines]
    checked = verify.check(leaves, tiles, [*_notes(folder, problems), *published], (), verifier)
    said = [one.statement for one in leaves if one.statement]
    problems += [*checked.problems, *_unlogged(leaves)]
    ended = {one["call"]: one.get("outcome") for one in said if "call" in one}
    cut = [call for call, outcome in ended.items() if outcome == "lost"]
    open_ = [one["intent"] for one in said if "intent" in one and one["intent"] not in ended]
    return Report(
        good=not problems,
        identity=verifier.key_id,
        size=checked.size,
        signed=checked.signed,
        outside=checked.outside,
        checkpoints=checked.checkpoints,
        erased=sum(1 for one in leaves if one.left),
        waiting=0,
        under_way=tuple(open_),
        cut=tuple(cut),
        problems=tuple(problems),
        remarks=() if folders else ("no outside checkpoints were named: give --outside FOLDER",),
    )


def _lines(data: bytes) -> Iterator[tuple[Leaf, bytes]]:
    """Each leaf and its hash."""
    lines = data.split(b"\n")
    if lines.pop() != b"":
        yield Leaf(len(lines), "line", problem="the last line is cut"), bytes(32)
    for number, line in enumerate(lines):
        try:
            found = msgspec.json.decode(line, type=dict[str, Any])
            if canonical(found) != line or found["leaf"] != number:
                yield Leaf(number, "line", problem="is not the line that belongs there"), bytes(32)
            elif found.keys() == {"leaf", "erased"} and len(hash_ := bytes.fromhex(found["erased"])) == 32:
                yield Leaf(number, "erased", left="erased"), hash_
            else:
                yield _leaf(number, found)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
            yield Leaf(number, "line", problem="cannot be read"), bytes(32)


def _leaf(number: int, found: dict[str, Any]) -> tuple[Leaf, bytes]:
    salt, statement = bytes.fromhex(found["salt"]), found["statement"]
    what = statement.get("call") or statement.get("intent") or f"change {statement['change']}"
    if len(salt) != _SALT_BYTES or salt.hex() != found["salt"] or len(found) != 3:
        return Leaf(number, what, problem="its salt was changed"), bytes(32)
    return Leaf(number, what, statement, salt), leaf_hash(entry_of(statement, salt))


def _notes(folder: Path, problems: list[Problem]) -> list[Signed]:
    found = []
    for path in sorted((folder / CHECKPOINTS).iterdir()) if (folder / CHECKPOINTS).exists() else ():
        size = path.name.partition(".")[0]
        if not size.isdecimal() or path.name != outside.name_of(int(size)):
            problems.append(Problem(str(path), "is named as no checkpoint is"))
            continue
        found.append(Signed(str(path), path.read_bytes().decode(errors="replace"), int(size)))
    if not found:
        problems.append(Problem(str(folder / CHECKPOINTS), "holds no checkpoint"))
    return found


def _unlogged(leaves: Sequence[Leaf]) -> list[Problem]:
    named: set[int] = set()
    for one in leaves:
        if one.statement and one.statement.get("change") == ERASED:
            named.update(spread(msgspec.json.decode(one.statement["content"])["leaves"]))
    said = "is told as erased, and no erasure of it is logged"
    return [Problem(f"leaf {one.number}", said) for one in leaves if one.left and one.number not in named]
