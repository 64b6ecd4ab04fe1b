"""What makes a national number of a person valid, country by country, from each country's own published rule.

Pure functions of the number without separators, in capitals.
"""

from __future__ import annotations

from freehold.guard.detectors.checkdigits import luhn, real_date, short_date, weighted

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_CF_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def es_dni(text: str) -> bool:
    """Spain: the letter is the rest by 23."""
    return _DNI[int(text[:8]) % 23] == text[8]


def es_nie(text: str) -> bool:
    """Spain, foreigners: X, Y, Z stand for 0, 1, 2."""
    return es_dni(str("XYZ".index(text[0])) + text[1:])


def it_cf(text: str) -> bool:
    """Italy, codice fiscale: odd places by a table, even ones by their order."""
    total = sum(
        _CF_ODD[one] if index % 2 == 0 else int(one, 36) - 10 * one.isalpha() for index, one in enumerate(text[:15])
    )
    return chr(65 + total % 26) == text[15]


def fr_nir(text: str) -> bool:
    """France: the key is 97 less the rest; Corsica's 2A and 2B count as 19 and 18."""
    number = text[:13].replace("2A", "19").replace("2B", "18")
    month = int(number[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42 or month >= 50) and 97 - int(number) % 97 == int(text[13:])


def nl_bsn(text: str) -> bool:
    """Netherlands: eleven-proof, the last digit counting against."""
    return text.strip("0") != "" and weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def be_nrn(text: str) -> bool:
    """Belgium: 97 less the rest, a 2 put before for those born since 2000."""
    key = int(text[9:])
    return key in (97 - int(text[:9]) % 97, 97 - int("2" + text[:9]) % 97)


def pl_pesel(text: str) -> bool:
    """Poland: a date with the century in its month, and a weighted sum."""
    month, day = int(text[2:4]), int(text[4:6])
    year = int(text[:2]) + {0: 1900, 20: 2000, 40: 2100, 60: 2200, 80: 1800}[month // 20 * 20]
    return real_date(year, month % 20, day) and weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def br_cpf(text: str) -> bool:
    """Brazil, persons: two digits by eleven."""
    return len(set(text)) > 1 and all(
        weighted(text, range(size + 1, 1, -1)) * 10 % 11 % 10 == int(text[size]) for size in (9, 10)
    )


def br_cnpj(text: str) -> bool:
    """Brazil, companies: two digits by eleven, weights from 2 to 9."""
    return len(set(text)) > 1 and all(
        weighted(text[:size][::-1], [2 + at % 8 for at in range(size)]) * 10 % 11 % 10 == int(text[size])
        for size in (12, 13)
    )


def uk_nhs(text: str) -> bool:
    """United Kingdom, health: weights from ten, by eleven."""
    return len(set(text)) > 1 and weighted(text, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def uk_nino(text: str) -> bool:
    """United Kingdom, insurance: prefixes that are given."""
    return text[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def se_pnr(text: str) -> bool:
    """Sweden: a date (days of co-ordination numbers are 60 more) and Luhn."""
    short = text[-10:]
    day = int(short[4:6])
    return short_date(f"{short[:4]}{day - 60 if day > 60 else day:02}") and luhn(short)


def no_fnr(text: str) -> bool:
    """Norway: a date and two digits by eleven."""
    day, month = int(text[:2]), int(text[2:4])
    return (
        short_date(f"{text[4:6]}{month - 40 if month > 40 else month:02}{day - 40 if day > 40 else day:02}")
        and weighted(text, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def dk_cpr(text: str) -> bool:
    """Denmark: a date; the sum by eleven was given up in 2007."""
    return short_date(text[4:6] + text[2:4] + text[:2])


def fi_hetu(text: str) -> bool:
    """Finland: a date, the sign of the century (gone where it is no letter), a number, and a letter by 31."""
    digits = text[:6] + text[-4:-1]
    right = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31]
    return short_date(text[4:6] + text[2:4] + text[:2]) and right == text[-1]


def ch_ahv(text: str) -> bool:
    """Switzerland: an EAN-13 that begins with 756."""
    return weighted(text, (1, 3) * 6 + (1,)) % 10 == 0


def at_svnr(text: str) -> bool:
    """Austria: the fourth digit by eleven."""
    return weighted(text, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == int(text[3])


def pt_nif(text: str) -> bool:
    """Portugal: the last digit by eleven."""
    rest = weighted(text, range(9, 1, -1)) % 11
    return int(text[8]) == (0 if rest < 2 else 11 - rest)


def ie_pps(text: str) -> bool:
    """Ireland: a letter by 23; a second letter counts nine times."""
    more = 9 * (ord(text[8]) - 64) if len(text) > 8 and text[8] != "W" else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(text, range(8, 1, -1)) + more) % 23] == text[7]


def cz_rc(text: str) -> bool:
    """Czechia and Slovakia: a date (50 more for women, 20 more since 2004), the whole by eleven."""
    month = int(text[2:4]) % 50
    month = month - 20 if month > 20 else month
    return short_date(f"{text[:2]}{month:02}{text[4:6]}") and (len(text) == 9 or int(text) % 11 == 0 or (
        int(text[:9]) % 11 == 10 and text[9] == "0"
    ))  # fmt: skip


def ro_cnp(text: str) -> bool:
    """Romania: a date and a weighted sum by eleven."""
    rest = weighted(text, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return text[0] != "0" and short_date(text[1:7]) and (1 if rest == 10 else rest) == int(text[12])


def baltic(text: str) -> bool:
    """Estonia and Lithuania: a date and two rounds of weights by eleven."""
    rest = weighted(text, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(text, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return text[0] in "123456" and short_date(text[1:7]) and rest == int(text[10])


def bg_egn(text: str) -> bool:
    """Bulgaria: a date with the century in its month, and a weighted sum."""
    month = int(text[2:4])
    month -= 40 if month > 40 else 20 if month > 20 else 0
    return short_date(f"{text[:2]}{month:02}{text[4:6]}") and (
        weighted(text, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(text[9])
    )


def tr_tckn(text: str) -> bool:
    """Turkey: two digits from the others."""
    odd, even = sum(map(int, text[0:9:2])), sum(map(int, text[1:8:2]))
    return text[0] != "0" and (odd * 7 - even) % 10 == int(text[9]) and sum(map(int, text[:10])) % 10 == int(text[10])


def za_id(text: str) -> bool:
    """South Africa: a date and Luhn."""
    return short_date(text[:6]) and text[10] in "012" and luhn(text)


def kr_rrn(text: str) -> bool:
    """Korea: a date and the sex; numbers given since 2020 have no check digit."""
    return short_date(text[:6]) and text[6] in "12345678"


def cl_rut(text: str) -> bool:
    """Chile: weights 2 to 7 from the right by eleven."""
    total = sum(int(one) * (2 + at % 6) for at, one in enumerate(reversed(text[:-1])))
    return "0K987654321"[total % 11] == text[-1]


def ar_cuit(text: str) -> bool:
    """Argentina: weights by eleven."""
    return weighted(text, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def mx_curp(text: str) -> bool:
    """Mexico: the last digit from all others, letters by their order with Ñ between N and O."""
    order = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(order.index(one) * (18 - at) for at, one in enumerate(text[:17]))
    return short_date(text[4:10]) and (10 - total % 10) % 10 == int(text[17])


def sg_nric(text: str) -> bool:
    """Singapore: a letter by eleven."""
    total = weighted(text[1:], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}
    return letters[text[0]][10 - total % 11 if text[0] == "M" else total % 11] == text[8]


def tw_id(text: str) -> bool:
    """Taiwan: the letter stands for two digits."""
    letter = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    return (letter // 10 + letter % 10 * 9 + weighted(text[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def th_id(text: str) -> bool:
    """Thailand: weights from 13 by eleven."""
    return (11 - weighted(text, range(13, 1, -1)) % 11) % 10 == int(text[12])


def au_tfn(text: str) -> bool:
    """Australia, tax: weights by eleven."""
    return weighted(text, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def au_medicare(text: str) -> bool:
    """Australia, health: the ninth digit from the eight before."""
    return text[0] in "23456" and weighted(text, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(text[8])


def jp_number(text: str) -> bool:
    """Japan, Individual Number: weights by eleven."""
    rest = weighted(text, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return int(text[11]) == (0 if rest <= 1 else 11 - rest)
