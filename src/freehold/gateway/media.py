"""Bodies that are no JSON: which dialects take forms, and which answer with sound or plain text. Pure."""

from __future__ import annotations

from freehold.core.errors import WrongContentType
from freehold.gateway.forms import Form, declared_boundary

JSON = b"application/json"
FORMS = frozenset({"openai_image_edits", "openai_transcriptions", "openai_translations"})
"""Dialects whose requests are forms."""
ANY_KIND = frozenset({"mcp", "openai_speech", "openai_transcriptions", "openai_translations"})
"""Dialects whose answers are of the media type that the target says."""
ODD = FORMS | ANY_KIND
"""Dialects for which a call must see to more than one body of JSON each way."""
PICTURES = frozenset({"openai_image_edits", "openai_images"})
"""Dialects whose answers hold pictures in base64."""
TEXTS = PICTURES | {"mcp", "openai_transcriptions", "openai_translations", "rerank"}
"""Dialects without a neutral form whose answers hold texts that a guard must look at."""
_TOLD = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/x-subrip",
        "text/event-stream",
        "text/plain",
        "text/vtt",
    }
)
_HEAD = b"content-type: application/json\r\n"


def check_kind(dialect: str, kind: bytes | None, body: bytes) -> None:
    """Is the body declared as what it is? Raises WrongContentType; BadRequest for a form that is not plain."""
    if dialect in FORMS:
        if kind is None or declared_boundary(kind) != Form(body).boundary:
            message = "this is served for bodies declared as multipart/form-data, with their boundary"
            raise WrongContentType(message, hint="let the client library set the content type")
    elif kind is not None and kind != JSON and not kind.lower().startswith(JSON):
        raise WrongContentType(f"the body is declared as {kind[:80].decode('latin-1')!r}, not as JSON")


def formed(head: bytes, body: bytes) -> bytes:
    """A request head of JSON as one of the form in `body`."""
    return head.replace(_HEAD, b"content-type: %b\r\n" % Form(body).kind, 1)


def answered_kind(told: bytes) -> bytes:
    """The media type an answer goes on with: sound and text as the target says, and nothing a browser would run."""
    kind = told.partition(b";")[0].strip().lower().decode("latin-1")
    return told if kind in _TOLD or kind.startswith("audio/") else b"application/octet-stream"


def names_in(form: Form) -> list[str]:
    """What stands in a form beside its fields' texts: names of fields and files, and media types."""
    return [name for part in form.parts for name in (*part.files, part.name, part.kind) if name]
