"""What goes wrong when a model is to be let into the store."""

from __future__ import annotations

from freehold.core.errors import BadArtefact, Unavailable


class NotAdmitted(BadArtefact):
    """The gate, the licence or the policy blocks the model: nobody's word lets it in."""

    code = "FH-ART-003"
    hint_text = "read the reasons; get the model in a form that holds no code, as safetensors or GGUF"


class ReviewNeeded(BadArtefact):
    """A person must vouch for these very bytes before they come in, or again once the last word has run out."""

    code = "FH-ART-004"
    hint_text = "read the reasons, then vouch for it: freehold models review NAME --expires 90d"


class RegistryFailed(Unavailable):
    """A registry or hub answered wrongly, or not at all."""

    code = "FH-AVA-007"
    hint_text = "check the address, the credentials and the connection"
