"""Guardrails of other gateways as rules of ours. What another service judged there is judged by our own detectors
here, so it comes over as approximated; patterns and words come over as they are where RE2 takes them.

Fields: https://docs.litellm.ai/docs/proxy/guardrails/quick_start, https://portkey.ai/docs/product/guardrails,
https://docs.getbifrost.ai/deployment-guides/config-json/guardrails (read 2026-11-22).
"""

from __future__ import annotations

from typing import Any

from freehold.settings.foreign.document import Document, Outcome, Path
from freehold.settings.foreign.draft import Draft
from freehold.settings.foreign.vendors import identifier

JUDGED = "judged by our own detector here, not by that service: try it with freehold guard test"
_SERVICES = {
    "azure/prompt_shield": "injection",
    "azure/text_moderations": "moderation",
    "azure": "moderation",
    "bedrock": "moderation",
    "detect_prompt_injection": "injection",
    "google_text_moderation": "moderation",
    "hide-secrets": "secrets",
    "hide_secrets": "secrets",
    "lakera": "injection",
    "lakera_prompt_injection": "injection",
    "lakera_v2": "injection",
    "llamaguard_moderations": "moderation",
    "openai_moderation": "moderation",
    "portkey.languagedetection": "",
    "portkey.moderatecontent": "moderation",
    "portkey.pii": "pii",
    "presidio": "pii",
    "prompt_security": "injection",
    "secrets": "secrets",
    "secrets_detection": "secrets",
}
"""Names of services, and the detector of ours that looks for the same."""
_KINDS = {
    "CREDIT_CARD_NUMBER": "CREDIT_CARD",
    "CRYPTO": "WALLET",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "LOCATION": "ADDRESS",
    "LOCATION_ADDRESS": "ADDRESS",
    "NAME": "PERSON",
    "PHONE_NUMBER": "PHONE",
    "SSN": "US_SSN",
    "US_BANK_NUMBER": "BANK_ACCOUNT",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_PASSPORT": "PASSPORT",
    "VISA": "CREDIT_CARD",
    "MASTERCARD": "CREDIT_CARD",
    "AMEX": "CREDIT_CARD",
}
"""Others' names of what is personal for ours; those that are the same are not listed."""
_ACTIONS = {"MASK": "redact", "REDACT": "redact", "BLOCK": "block", "DENY": "block"}


def service(name: str) -> str:
    """The detector of ours for what another service looks for; empty where there is none."""
    return _SERVICES.get(name.lower().removeprefix("default."), "")


def kind_of(name: Any) -> str:
    """Our kind for another's name of something personal; empty where ours looks for no such thing."""
    from freehold.guard.detectors.pii import pii

    wanted = str(name).upper()
    found = _KINDS.get(wanted, wanted)
    return found if found in pii().kinds else ""


def action_of(name: Any, otherwise: str) -> str:
    """Our action for another's word."""
    return _ACTIONS.get(str(name).upper(), otherwise)


class Guard:
    """One profile that is being written."""

    def __init__(self, document: Document, draft: Draft, name: str) -> None:
        self.name = identifier(name)
        self._document = document
        self._draft = draft
        self._rules: list[dict[str, Any]] = []
        self._custom: list[dict[str, Any]] = []

    def rule(self, detector: str, action: str, directions: list[str], kinds: list[str] | None = None) -> None:
        """What the findings of a detector lead to."""
        made: dict[str, Any] = {"detector": detector, "action": action}
        if kinds:
            made["kinds"] = kinds
        if len(directions) == 1:
            made["directions"] = directions
        if made not in self._rules:
            self._rules.append(made)

    def pattern(self, path: Path, pattern: Any, flags: str, action: str, directions: list[str]) -> None:
        """A regular expression, if RE2 takes it."""
        import re2

        text = f"(?{flags}){pattern}" if flags else str(pattern)
        try:
            re2.compile(text)
        except re2.error:
            self.say(path, "not supported", "RE2 does not take this expression: look-arounds and references are none")
            return
        self._own({"pattern": text}, action, directions)
        self.say(path, "exact")

    def words(self, path: Path, words: list[Any], action: str, directions: list[str]) -> None:
        """Words or phrases, in any case."""
        self._own({"words": [str(one) for one in words]}, action, directions)
        self.say(path, "exact")

    def say(self, path: Path, outcome: Outcome, note: str = "") -> None:
        """Account for a field that went into this profile."""
        to = "" if outcome == "not supported" else f"guard.{self.name}"
        self._document.say(path, outcome, to, note)

    def written(self) -> str:
        """Put the profile into the draft; its name, empty where it looks for nothing."""
        if not self._rules:
            return ""
        content: dict[str, Any] = {"rules": self._rules}
        if self._custom:
            content["custom"] = self._custom
        return self._draft.add("guard", self.name, content)

    def _own(self, what: dict[str, Any], action: str, directions: list[str]) -> None:
        known = next((one for one in self._custom if {**one, "name": ""} == {**what, "name": ""}), None)
        if known is None:
            known = {"name": f"imported-{len(self._custom) + 1}", **what}
            self._custom.append(known)
        self.rule("custom", action, directions, [known["name"]])
