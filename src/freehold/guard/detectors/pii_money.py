"""Money of a person: cards, accounts, wallets."""

from __future__ import annotations

import hashlib
import re

from freehold.guard.detectors.checkdigits import aba, iban, luhn
from freehold.guard.detectors.patterns import Hit, Pattern
from freehold.guard.detectors.pii_contact import numbers
from freehold.guard.detectors.pii_words import CARD, NOBODY, near, said

_IBANS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
_LENGTHS = {one[:2]: int(one[2:]) for one in _IBANS.split()}
"""Characters of an IBAN by country: SWIFT's registry of IBANs, 2025."""
_IBAN_WORD = re.compile(r"(?i)\biban\b|konto|account|rekening|compte|cuenta|conto|conta\b|rachun")
_ACCOUNT = re.compile(
    r"(?i)(?:account|acct|a/c|konto(?:nummer)?|rekening(?:nummer)?|cuenta|compte|conta corrente)\.?"
    r"(?: ?(?:number|num|no|nr|#)\.?)?(?: is)?[ :#]{1,3}\Z"
)
_ACCOUNT_WORDS = "account|acct|a/c|konto|rekening|cuenta|compte|conta"
_ROUTING = re.compile(r"(?i)routing|\baba\b|\brtn\b|transit")
_SORT = re.compile(r"(?i)sort ?code")
_SWIFT = re.compile(r"(?i)swift|\bbic\b")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _issued(digits: str) -> bool:
    """Do prefix and length belong to a scheme? From the schemes' published ranges (ISO/IEC 7812 issuers)."""
    size, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4":
        return size in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in (34, 37):
        return size == 15
    if 300 <= three <= 305 or two in (36, 38, 39):
        return size in (14, 16, 19)
    if four == 6011 or 644 <= three <= 649 or two in (65, 62, 35, 60, 63, 67, 50) or two in (56, 57, 58, 66, 68, 69):
        return 16 <= size <= 19
    return False


def _card(hit: Hit) -> float:
    digits = numbers(hit.value)
    if len(set(digits)) < 2 or re.search(r"[\d][.,\-]\Z|[#_=/]\Z", hit.before):
        return 0
    if re.match(r"[.,\-]\d", hit.after):
        return 0
    called = near(CARD, hit.before) or near(CARD, hit.after)
    if not luhn(digits):  # mistyped, or masked by hand: four groups that are called a card
        return 0.6 if len(digits) == 16 and not hit.value.isdigit() and _issued(digits) and called else 0
    if called:
        return 1.0
    return 0.9 if len(digits) >= 15 and _issued(digits) and not near(NOBODY, hit.before, 40) else 0


def iban_end(value: str) -> int:
    """Where an IBAN of its country's length ends in `value`; all of it where that leaves no IBAN, 0 for no country."""
    wanted = _LENGTHS.get(value[:2].upper(), 0)
    seen = 0
    for at, one in enumerate(value):
        seen += one.isalnum()
        if wanted and seen == wanted and iban(_plain(value[: at + 1])):
            return at + 1
    return len(value) if wanted else 0


def _plain(value: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", value).upper()


def _iban(hit: Hit) -> float:
    text = _plain(hit.value)
    if iban(text):
        return 1.0 if len(text) == _LENGTHS[text[:2]] else 0.8
    return 0.6 if near(_IBAN_WORD, hit.before, 40) and len(text) == _LENGTHS[text[:2]] else 0


def _account(hit: Hit) -> float:
    return 0.85 if _ACCOUNT.search(hit.before) else 0


def _routing(hit: Hit) -> float:
    return 0.9 if near(_ROUTING, hit.before, 40) and aba(hit.value) else 0


def _sort(hit: Hit) -> float:
    return 0.85 if near(_SORT, hit.before, 24) else 0


def _swift(hit: Hit) -> float:
    return 0.85 if near(_SWIFT, hit.before, 24) else 0


def _bitcoin(hit: Hit) -> float:
    """Base58Check: the last four of twenty-five bytes are a double SHA-256 of the others."""
    value = 0
    for one in hit.value:
        value = value * 58 + _BASE58.index(one)
    if value.bit_length() > 200:
        return 0
    data = value.to_bytes(25, "big")
    return 1.0 if hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:] else 0


def _bech32(hit: Hit) -> float:
    """BIP 173 and BIP 350."""
    prefix, _, rest = hit.value.lower().rpartition("1")
    values = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    if any(one not in _BECH32 for one in rest):
        return 0
    check = 1
    for value in values + [_BECH32.index(one) for one in rest]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= part if top >> bit & 1 else 0
    return 1.0 if check in (1, 0x2BC830A3) else 0


MONEY: tuple[Pattern, ...] = (
    Pattern("CREDIT_CARD", r"\d{12,19}", _card, after=20),
    Pattern("CREDIT_CARD", r"\d{4}[ .\-]\d{4}[ .\-]\d{4}[ .\-]\d{1,4}(?:[ .\-]\d{1,3})?", _card, after=20),
    Pattern("CREDIT_CARD", r"\d{4}[ .\-]\d{6}[ .\-]\d{4,5}", _card, after=20),
    Pattern("IBAN", r"[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30}", _iban, cut=iban_end),
    Pattern("IBAN", r"[A-Z]{2}\d{2}(?:[ \-][A-Z0-9]{2,4}){3,9}(?:[ \-][A-Z0-9])?", _iban, cut=iban_end),
    Pattern("BANK_ACCOUNT", r"\d(?:[ \-]?\d){5,17}", _account, words=_ACCOUNT_WORDS),
    Pattern("BANK_ACCOUNT", r"\d{2}-\d{2}-\d{2}", _sort, words=said(_SORT)),
    Pattern("ROUTING_NUMBER", r"\d{9}", _routing, words=said(_ROUTING)),
    Pattern("SWIFT", r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", _swift, words=said(_SWIFT)),
    Pattern("WALLET", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}", _bitcoin),
    Pattern("WALLET", r"(?:bc|tb|ltc)1[02-9ac-hj-np-z]{11,87}", _bech32),
    Pattern("WALLET", r"0x[0-9a-fA-F]{40}"),
)
