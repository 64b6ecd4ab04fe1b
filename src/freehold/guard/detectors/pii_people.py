"""People themselves, where words around say so: birthdays, and names that are introduced.

Names without such words are found by the optional detector `names` alone.
"""

from __future__ import annotations

import re

from freehold.guard.detectors.patterns import Hit, Pattern
from freehold.guard.detectors.pii_places import UP
from freehold.guard.detectors.pii_words import BORN, near, said

_MONTH = (
    r"(?i:jan(?:uar[yi]?|vier|eiro)?|ene(?:ro)?|genn(?:aio)?|feb(?:r?uar[yi]?|brero|braio)?|f[ée]vr?(?:ier)?|fevereiro|"
    r"mar(?:ch|s|zo|ço|zec)?|m[äa]rz|maart|apr(?:il|ile|el)?|avr(?:il)?|abr(?:il)?|ma[yij]|mai(?:o|us)?|mayo|maggio|mag|"
    r"jun[ei]?|juin|junio|junho|giu(?:gno)?|jul[yi]?|juil(?:let)?|julio|julho|lug(?:lio)?|aug(?:ust|ustus)?|"
    r"ao[uû]t|ago(?:sto)?|sep(?:t(?:ember|iembre|embre)?)?|set(?:embro|tembre)?|o[ck]t(?:ober|ubre|obre)?|out(?:ubro)?|ott(?:obre)?|"
    r"nov(?:ember|embre|iembre|embro)?|de[cz](?:ember|embre|embro)?|d[ée]c(?:embre)?|dic(?:iembre|embre)?|"
    r"stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia)\.?"
)
_DATE = (
    r"\d{4}[\-/.]\d{1,2}[\-/.]\d{1,2}|\d{1,2}[\-/. ]\d{1,2}[\-/. ]\d{2,4}|"
    rf"\d{{1,2}}(?:st|nd|rd|th|\.|er|º)?(?: of| de| di)? ?{_MONTH},?(?: de| del)? ?\d{{2,4}}|"
    rf"{_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?,? ?\d{{4}}|\d{{4}}年\d{{1,2}}月\d{{1,2}}日?"
)
_BESIDE = re.compile(r"(?i)[ ,;:(]{0,3}(?:birth|born|\(?dob)")


def _born(hit: Hit) -> float:
    """A day is a birthday where the nearest words say so."""
    if re.search(r"[\d][.,:/\-]\Z", hit.before) or re.match(r"[./\-:]\d", hit.after):
        return 0
    return 0.95 if near(BORN, hit.before, 48) or _BESIDE.match(hit.after) else 0


_TITLES = (
    r"(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Sir|Madam|Lord|Lady|Herr|Frau|Monsieur|Madame|Mme|Mlle|Señora?|Sra?|"
    r"Signora?|Sig|Senhora?|Dhr|Mevr|Pan|Pani)"
)
_INTRODUCED = re.compile(
    rf"(?:\b{_TITLES}\.? |"
    r"(?i:\b(?:my|his|her|their|full|first|last|maiden|customer|patient|client|employee) name(?:'s| is| was)?:? |"
    r"\b(?:name|user|customer|patient|client|employee|recipient|sender|author|signatory): {0,6}|"
    r"[\"'](?:\w{0,12}[_ ]?name|customer|client|patient|employee|user|person|contact|recipient|sender|owner|holder|"
    r"author)[\"'] ?[:=] ?[\"']|"
    r"\b(?:my|his|her|their|our|your) (?:kid|child|wife|husband|spouse|"
    r"partner|son|daughter|brother|sister|mother|"
    r"father|mom|mum|dad|aunt|uncle|cousin|friend|boss|manager|colleague|assistant|doctor|lawyer|neighbou?r|client|"
    r"patient) |"
    r"\bI am |\bI.m |\bthis is |\bcalled |\bnamed |\bnom: ?|\bnombre: ?|\bich heiße |\bje m.appelle |"
    r"\bme llamo |\bmi chiamo |\bmeu nome é |\bik heet |\bnazywam się |\bsigned,? |\bregards,?\s{1,2}|"
    r"\bsincerely,?\s{1,2}|\bbest,\s{1,2}|\bcheers,\s{1,2}|\bthanks,\s{1,2})|"
    r"\b(?:Dear|Hi|Hello|Patient|Contact|Employee|Customer|Client|Attn:?|Attention:?|cc:|From:|To:|Ship to|Sold to|"
    r"Bill to|Tenant|Applicant|Defendant|Plaintiff|Witness|Beneficiary|Cardholder|declined for|on behalf of|record:|"
    r"Nurse|Officer) )\Z"
)
_NAME = rf"{UP}(?: (?:van|von|der|den|de|del|della|da|dos|du|la|le|bin|ibn|al|ter|ten|y|e)){{0,3}}(?:[ \-]{UP}){{0,3}}"
_OTHERS = (
    "A All Also Amazon An And Any Apple Applicant April August But Colleagues Committee Customer Dear December "
    "Department English Everybody Everyone February Folks French Friday Friends German Glad Google Guest Happy He "
    "Hello Help Her Here Hey Hi Hiring His Human I If Information It Italian January Java July June Just Linux Madam "
    "Manager March May Me Member Members Microsoft Monday My No Not November October Or Our Parent Parents Please "
    "Python Resources Sales Saturday September Service Services She Sir So Some Sorry Spanish Student Students Sunday "
    "Support Sure Team Thank Thanks That The Then There These They This Those Thursday Tuesday Us User Users Valued "
    "Very We Wednesday Windows World Yes You Your AI Alexa Assistant Bot Chat ChatGPT Claude Gemini Siri"
)
_NOT_NAMES = frozenset(_OTHERS.split())


def _introduced(hit: Hit) -> float:
    first = re.split(r"[ \-]", hit.value)[0].rstrip(".")
    if (
        first in _NOT_NAMES
        or (" " not in hit.value and hit.value.isupper())
        or not _INTRODUCED.search(hit.before[-40:])
    ):
        return 0
    return 0.75 if " " in hit.value else 0.6


PEOPLE: tuple[Pattern, ...] = (
    Pattern("DOB", _DATE, _born, after=14, words=said(BORN)),
    Pattern("PERSON", _NAME, _introduced),
)
