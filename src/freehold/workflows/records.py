"""A record: one call as workflows, evaluation and training see it, whoever recorded it.

Request and answer are in one form, OpenAI's chat body and `chat.completion`, whatever dialect the call spoke.
"""

from __future__ import annotations

import msgspec

from freehold.ledger.meter import Usage

LIVE = "live"
"""The source of what the gateway recorded itself."""

UNTIMED = 86400.0
"""Records with `at` below it come from a format that tells no time: theirs is made from a digest of their content."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times in Unix seconds, durations in seconds; empty text and None mean that nobody said."""

    id: bytes
    """16 bytes that sort by time: of a live call its own id, of an imported one a digest of where it came from."""
    at: float
    source: str
    """`live`, or the name of the format it was imported from."""
    external_id: str = ""
    vendor: str = ""
    """Who answered, as `policy` names offerings (`openai-api`, `anthropic-api`, ...); empty where unknown."""
    model: str
    """The model that answered, or was asked for where the answer does not say."""
    target: str = ""
    """Of a live call: the target that served it."""
    route: str = ""
    owned: bool = False
    app: str = ""
    """Who called: an application's name, or the key of a live call."""
    workflow: str = ""
    """The workflow its caller named; it always wins over discovery."""
    conversation: str = ""
    label: str = "unknown"
    """Sensitivity, in the text form of `core.label`."""
    consent: bool | None = None
    """May its content be used to train, as far as the data's subject was asked?"""
    status: int = 200
    usage: Usage = Usage()
    latency: float | None = None
    first_token: float | None = None
    request: bytes
    """JSON of an OpenAI chat request."""
    response: bytes = b""
    """JSON of a `chat.completion`; empty where none was recorded."""
    assigned: str = ""
    """Id of the workflow it was found to be of; empty where none was yet."""
    import_id: bytes = b""
    """Of an imported record: 16 bytes."""

    @property
    def answered(self) -> bool:
        """True where there is an answer to compare with."""
        return bool(self.response) and self.status < 400
