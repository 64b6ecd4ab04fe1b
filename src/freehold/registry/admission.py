"""The way into the store: signature, scan, licence, policy, and only then a name.

Invariant: what is admitted is, digest for digest, what the gate saw; `block` takes nobody's word, `review` a person's.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from freehold.core.clock import Clock, iso
from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, NotFound
from freehold.registry import converting, held, staging
from freehold.registry.artefacts import Store
from freehold.registry.errors import NotAdmitted, ReviewNeeded
from freehold.registry.gate.types import VERDICTS, Reason, Report, Verdict
from freehold.registry.offers import Judged, Offer, Review, Rules
from freehold.registry.papers import dsse, signing
from freehold.registry.papers.binding import document
from freehold.registry.papers.cards import read_card
from freehold.registry.papers.licences import decide, strictest
from freehold.registry.papers.recognise import recognise
from freehold.registry.papers.types import Licence, Papers, Signature
from freehold.registry.papers.writing import Document, documents
from freehold.registry.types import Blob, Lineage, Making, Manifest, Origin

Gate = Callable[[Path], Report]
SCAN_TYPE = "application/vnd.freehold.scan+json"
REVIEW_TYPE = "application/vnd.freehold.review+json"
_WEIGHTS = (".gguf", ".safetensors", ".onnx", ".keras")
OWN = "this installation"
_SHOWN = 5


class Admission:
    """Lets models into `store`, past `gate`, by `rules`."""

    def __init__(self, store: Store, gate: Gate, rules: Rules, clock: Clock = time.time) -> None:
        self._store = store
        self._gate = gate
        self._rules = rules
        self._clock = clock

    def take(self, source: Path, offer: Offer, *, link: bool = False, review: Review | None = None) -> Manifest:
        """Let a file or folder in, and sign it. `link` shares bytes with a source that nobody edits in place.

        Raises NotAdmitted for what is blocked, ReviewNeeded for what needs a person, BadArtefact and BadSignature
        for what is not what it says.
        """
        identity = self._identity
        with staging.folder(self._store.root) as folder:
            brought = staging.stage(source, folder, link=link, only=offer.only)
            found, offer = self._as_safetensors(folder, brought, offer)
            files = first_weights(found)
            _one_model(files)
            offer = self._bound(offer)
            judged = self.judge(folder, files, offer)
            if judged.verdict == "block":
                raise NotAdmitted(f"{offer.name} is not let in: {_said(judged.reasons)}", param=offer.name)
            if judged.verdict == "review" and (review is None or review.until <= self._clock()):
                held.hold(self._store.root, folder, held.Held(offer, judged), identity)
                hint = f"read the reasons, then vouch for it: freehold models review {offer.name} --expires 90d"
                raise ReviewNeeded(f"{offer.name} needs a person: {_said(judged.reasons)}", hint=hint, param=offer.name)
            vouched = review if judged.verdict == "review" else None
            return self._enter(folder, files, offer, judged, vouched)

    def _as_safetensors(self, folder: Path, files: tuple[Blob, ...], offer: Offer) -> tuple[tuple[Blob, ...], Offer]:
        """The staged files with torch's, joblib's and numpy's weights converted, and the offer that tells of it."""
        if offer.brought is not None or not any(converting.likely(folder / one.name) for one in files):
            return files, offer
        from freehold.registry.convert import convert_apart

        became = converting.converted(folder, files, self._gate(folder), convert_apart)
        if not became:
            return files, offer
        brought = converting.Brought(files, became)
        changes = {"brought": brought, "format": "safetensors" if offer.format == "files" else offer.format}
        if not any(one.into for one in became):
            return files, msgspec.structs.replace(offer, brought=brought)
        first = brought.first
        count = sum(bool(one.into) for one in became)
        detail = f"{first.form} to safetensors, {count} file{'s' * (count > 1)}"
        origin = Origin(offer.origin.package, offer.origin.version, offer.origin.sha256 or first.brought.sha256)
        making = Making("convert", first.brought.sha256, detail)
        offer = msgspec.structs.replace(offer, making=making, origin=origin, **changes)
        names = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
        known = {one.name: one for one in files}
        return tuple(known.get(one) or _blob(folder, one) for one in names), offer

    def made_here(self, sources: Mapping[str, Path], offer: Offer, *, link: bool = False, pin: str = "") -> Manifest:
        """Let in what this installation made or pins by digest, in the order given: that stands in a person's place.

        `pin` is the SHA-256 that the first file must have. Raises BadArtefact where it has not, NotAdmitted where the
        gate or the licence blocks it.
        """
        with staging.folder(self._store.root) as folder:
            files = tuple(staging.stage_file(name, path, folder, link=link) for name, path in sources.items())
            if pin and files[0].sha256 != pin:
                raise BadArtefact(f"{files[0].name} is {files[0].sha256[:16]} where {pin[:16]} is pinned")
            judged = self.judge(folder, files, offer)
            if judged.verdict == "block":
                raise NotAdmitted(f"{offer.name} is not let in: {_said(judged.reasons)}", param=offer.name)
            return self._enter(folder, files, offer, judged, None)

    def review(self, name: str, word: Review) -> Manifest:
        """Let in what waits under a name, or vouch anew for what is in, on a person's word.

        Raises NotFound where there is neither, NotAdmitted where the word is for other bytes or the rules now block.
        """
        try:
            found, files = held.read(self._store.root, name, self._store.verifier)
        except NotFound:
            return self._again(self._store.verify(name), word)
        with staging.folder(self._store.root) as copy:
            staged = {one.name: one.sha256 for one in staging.stage(files, copy, link=True)}
        if staged != {one.name: one.sha256 for one in found.judged.report.files}:
            raise NotAdmitted(f"what waits as {name} was changed since it was judged", param=name)
        manifest = self.take(files, found.offer, link=True, review=word)
        held.forget(self._store.root, name)
        return manifest

    def _enter(
        self, folder: Path, files: tuple[Blob, ...], offer: Offer, judged: Judged, review: Review | None
    ) -> Manifest:
        """Write the papers and give the name."""
        identity = self._identity
        manifest = self._manifest(offer, files, judged)
        beside = [*documents(manifest, judged.licence, read_card(folder), identity)]
        beside.append(Document("scan", SCAN_TYPE, msgspec.json.encode(judged.report)))
        if offer.signature:
            beside.append(Document("signature", signing.BUNDLE, offer.signature))
        if offer.brought is not None:
            beside.append(Document("converted", converting.MEDIA_TYPE, msgspec.json.encode(offer.brought)))
        if review is not None:
            beside.append(Document("review", REVIEW_TYPE, _word(review, files, judged, identity)))
        manifest = msgspec.structs.replace(manifest, papers=_papers(judged, beside, review))
        sources = {one.name: folder / one.name for one in files}
        return self._store.admit(manifest, sources, staged=True, beside=[one.data for one in beside])

    @property
    def _identity(self) -> Identity:
        identity = self._store.verifier
        if not isinstance(identity, Identity):
            raise TypeError("admitting takes the identity, not only its public half")
        return identity

    def _again(self, manifest: Manifest, word: Review) -> Manifest:
        offer = Offer(
            name=manifest.name,
            kind=manifest.kind,
            format=manifest.format,
            origin=manifest.origin,
            making=manifest.making,
            licence=manifest.licence,
            lineage=manifest.lineage,
            signature=document(self._store, manifest, "signature") or b"",
            brought=_brought(document(self._store, manifest, "converted")),
        )
        with staging.folder(self._store.root) as folder:
            for one in manifest.files:
                target = folder / one.name
                target.parent.mkdir(parents=True, exist_ok=True)
                staging.bring(self._store.blob(one.sha256), target, link=True)
            return self.take(folder, offer, link=True, review=word)

    def judge(self, folder: Path, files: tuple[Blob, ...], offer: Offer) -> Judged:
        """What is to be said of staged files. Raises BadSignature or BadArtefact where the maker's signature fails."""
        digests = {one.name: one.sha256 for one in files}
        signed = {one.name: one.sha256 for one in offer.brought.files} if offer.brought else digests
        signature = signing.check(offer.signature, signed, self._rules.trust) if offer.signature else Signature()
        report = self._gate(folder)
        if report.verdict != "block" and {one.name: one.sha256 for one in report.files} != digests:
            raise NotAdmitted(f"the gate did not see the files of {offer.name} as they are")
        licence = self._licence(folder, offer)
        verdicts: list[tuple[Verdict, str]] = [(report.verdict, one) for one in said_of(report)]
        verdicts += [(licence.verdict, one) for one in licence.reasons]
        stayed = [one for one in offer.brought.became if not one.into] if offer.brought else []
        verdicts += [("review", f"review: {one.brought.name}: is not converted: {one.why}") for one in stayed]
        if signature.method == "none" and self._rules.unsigned != "allow":
            verdicts.append((self._rules.unsigned, f"{self._rules.unsigned}: no maker's signature is over it"))
        hardest = max((report.verdict, licence.verdict, *(one for one, _ in verdicts)), key=VERDICTS.index)
        return Judged(
            verdict=hardest,
            report=report,
            licence=licence,
            signature=signature,
            reasons=tuple(text for _, text in verdicts),
        )

    def _bound(self, offer: Offer) -> Offer:
        """The offer tied to its base's bytes. Raises NotFound where that is not in the store."""
        if offer.kind in ("adapter", "prompt") and not (offer.base or offer.lineage):
            raise BadArtefact(f"the {offer.kind} {offer.name} names no base", hint="say what it was trained on: --base")
        if not offer.base or offer.lineage is not None:
            return offer
        base = self._store.show(offer.base)
        lineage = Lineage(recipe="elsewhere", dataset_sha256="", base=base.name, base_sha256=base.files[0].sha256)
        return msgspec.structs.replace(offer, lineage=lineage)

    def _licence(self, folder: Path, offer: Offer) -> Licence:
        """Its own, and where it stands on a base of the store the stricter of both."""
        rules = self._rules
        base = self._store.show(offer.lineage.base) if offer.lineage and offer.lineage.base else None
        # A classifier asks its encoder and holds nothing of it.
        inherits = base is not None and offer.kind != "classifier"
        bases = {base.name: base.licence} if base is not None and inherits else {}
        found = recognise(folder, given=offer.licence, name=offer.name, bases=bases)
        own = decide(found, rules.licensee, rules.use, rules.policy)
        if base is None or not inherits or base.papers is None:
            return own
        return msgspec.structs.replace(strictest((own, base.papers.licence)), expression=own.expression)

    def _manifest(self, offer: Offer, files: tuple[Blob, ...], judged: Judged) -> Manifest:
        origin = offer.origin
        if not origin.sha256:
            origin = Origin(origin.package, origin.version, files[0].sha256)
        return Manifest(
            name=offer.name,
            kind=offer.kind,
            format=offer.format,
            files=files,
            origin=origin,
            making=offer.making,
            licence=judged.licence.expression,
            made_at=iso(self._clock()),
            lineage=offer.lineage,
        )


def _blob(folder: Path, name: str) -> Blob:
    path = folder / name
    return Blob(name, staging.digest_of(path), path.stat().st_size)


def _brought(data: bytes | None) -> converting.Brought | None:
    return msgspec.json.decode(data, type=converting.Brought) if data else None


def first_weights(files: tuple[Blob, ...]) -> tuple[Blob, ...]:
    """The file an engine opens first: weights at the top of the folder, before those further down."""

    def rank(one: Blob) -> tuple[int, int, str]:
        kind = next((place for place, ending in enumerate(_WEIGHTS) if one.name.lower().endswith(ending)), 9)
        return (kind, one.name.count("/"), one.name)

    return tuple(sorted(files, key=rank))


def _one_model(files: tuple[Blob, ...]) -> None:
    """Raises BadArtefact for several GGUF files: each is a whole model, or a part that no engine of ours opens."""
    found = [one.name for one in files if one.name.lower().endswith(".gguf")]
    if len(found) > 1 and any("-of-" in one for one in found):
        raise BadArtefact(f"{found[0]} is one of several parts", hint="join them: llama-gguf-split --merge")
    if len(found) > 1:
        said = f"there are {len(found)} models here: {', '.join(found[:_SHOWN])}"
        raise BadArtefact(said, hint="choose one: freehold models add SOURCE --only '*Q4_K_M*' --only '*.md'")


def said_of(report: Report) -> tuple[str, ...]:
    """Every reason of the gate in words, the hardest first."""
    found = sorted(_reasons(report), key=lambda one: -VERDICTS.index(one.verdict))
    return tuple(f"{one.verdict}: {one.where}: {one.said} ({one.code})" for one in found)


def gate() -> Gate:
    """The gate as every admission uses it: in a process of its own, with a budget."""
    from freehold.registry.gate.apart import scan_apart

    return scan_apart


def reads(*formats: str) -> bool:
    """Whether the gate has a reader for these formats: what it cannot read it never allows."""
    from freehold.registry.gate.formats import FORMATS

    return {*formats} <= {one.name for one in FORMATS}


def _reasons(report: Report) -> Iterator[Reason]:
    yield from report.reasons
    for one in report.files:
        yield from one.reasons


def _papers(judged: Judged, beside: list[Document], review: Review | None) -> Papers:
    own = OWN if judged.verdict == "review" else ""
    return Papers(
        scan=judged.report.verdict,
        rules=judged.report.rules,
        licence=judged.licence,
        signature=judged.signature,
        reviewed_by=review.by if review else own,
        reviewed_until=iso(review.until) if review else "",
        statements=tuple(one.statement for one in beside),
    )


def _word(review: Review, files: tuple[Blob, ...], judged: Judged, identity: Identity) -> bytes:
    """The person's word, signed by this installation: who, for which bytes, in face of what, until when."""
    told = {
        "by": review.by,
        "until": iso(review.until),
        "files": {one.name: one.sha256 for one in files},
        "reasons": list(judged.reasons),
        "rules": judged.report.rules,
        "scan": hashlib.sha256(msgspec.json.encode(judged.report)).hexdigest(),
    }
    return dsse.sealed(msgspec.json.encode(told), identity, REVIEW_TYPE)


def _said(reasons: tuple[str, ...]) -> str:
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more
