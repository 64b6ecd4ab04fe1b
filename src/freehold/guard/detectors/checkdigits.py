"""Check digits of identifiers: pure functions of the digits or letters as text, separators removed by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_VERHOEFF_TIMES = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_MOVED = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: payment cards, IMEI, Canadian and Swedish numbers."""
    total = 0
    for index, one in enumerate(reversed(digits)):
        value = int(one) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mod97(text: str) -> int:
    """The rest of a text of digits and letters by 97, letters counting from A = 10 (ISO 7064, MOD 97-10)."""
    return int("".join(str(int(one, 36)) for one in text)) % 97


def iban(text: str) -> bool:
    """ISO 13616: the country and check digits moved behind leave 1."""
    return text[:4].isalnum() and mod97(text[4:] + text[:4]) == 1


def verhoeff(digits: str) -> bool:
    """Verhoeff 1969, over the dihedral group of order ten: Aadhaar."""
    state = 0
    for index, one in enumerate(reversed(digits)):
        state = int(_VERHOEFF_TIMES[state][int(_VERHOEFF_MOVED[index % 8][int(one)])])
    return state == 0


def mod11_10(digits: str) -> bool:
    """ISO 7064, MOD 11,10: German tax numbers, Croatian personal numbers."""
    state = 10
    for one in digits[:-1]:
        state = (state + int(one)) % 10 or 10
        state = state * 2 % 11
    return (state + int(digits[-1])) % 10 == 1


def mod11_2(text: str) -> bool:
    """ISO 7064, MOD 11-2, last character X for ten: Chinese residents' numbers."""
    total = 0
    for one in text[:-1]:
        total = (total + int(one)) * 2
    return (total + (10 if text[-1] in "Xx" else int(text[-1]))) % 11 == 1


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of digits by their weights; as many as there are weights."""
    return sum(int(one) * weight for one, weight in zip(digits, weights, strict=False))


def real_date(year: int, month: int, day: int) -> bool:
    """Is there such a day?"""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def short_date(yymmdd: str) -> bool:
    """Is there such a day in either century?"""
    year, month, day = int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6])
    return real_date(1900 + year, month, day) or real_date(2000 + year, month, day)


def aba(digits: str) -> bool:
    """Routing number of a bank in the United States: weights 3, 7, 1 (ABA), the first digits a district."""
    district = int(digits[:2])
    in_use = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
    return in_use and weighted(digits, (3, 7, 1) * 3) % 10 == 0


def vin(text: str) -> bool:
    """Vehicle identification number with the check digit of North America (49 CFR 565)."""
    values = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(int(values.get(one, one)) * weight for one, weight in zip(text, weights, strict=True))
    return "0123456789X"[total % 11] == text[8]


def npi(digits: str) -> bool:
    """National provider identifier (45 CFR 162.406): Luhn with the prefix 80840."""
    return luhn("80840" + digits)


def dea(text: str) -> bool:
    """Registration with the Drug Enforcement Administration: odd places and twice the even ones."""
    digits = text[2:]
    total = weighted(digits, (1, 2, 1, 2, 1, 2))
    return total % 10 == int(digits[6])
