from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.guard.detectors import checkdigits, national_checks
from freehold.guard.detectors.pii import pii
from freehold.guard.detectors.pii_ids import ROWS
from freehold.guard.types import Piece

PII = pii()
FOUND = (
    ("EMAIL", "write to [[jo.do+news@mail.example.co.uk]]."),
    ("EMAIL", "<[[müller@straße.example.de]]>"),
    ("PHONE", "call me on [[+49 (0) 30 1234567]], please"),
    ("PHONE", "Tel: [[0161 496 0536]]"),
    ("PHONE", "[[(541) 714-1388]] is my mobile"),
    ("PHONE", "mobile [[001-660-886-7757x8399]]"),
    ("PHONE", "you can reach us under [[905.674.3793]]"),
    ("CREDIT_CARD", "card [[4111 1111 1111 1111]] was declined"),
    ("CREDIT_CARD", "[[5555555555554444]]"),
    ("CREDIT_CARD", "pay with [[3782-822463-10005]] today"),
    ("IBAN", "to [[DE89 3704 0044 0532 0130 00]] BANK"),
    ("IBAN", "gb82west12345698765432 or [[GB82WEST12345698765432]]"),
    ("US_SSN", "my SSN is [[078-05-1121]]"),
    ("US_SSN", "social security 078 05 1121: [[078 05 1121]]"),
    ("US_ITIN", "ITIN [[912-70-1234]]"),
    ("ES_DNI", "DNI [[12345678Z]]"),
    ("ES_NIE", "[[X1234567L]]"),
    ("IT_CF", "codice fiscale [[RSSMRA85T10A562S]]"),
    ("FR_NIR", "n° [[2 55 08 14 168 025 38]]"),
    ("NL_BSN", "My ID number is [[111222333]]"),
    ("PL_PESEL", "PESEL [[44051401359]]"),
    ("BR_CPF", "[[111.444.777-35]]"),
    ("IN_AADHAAR", "[[2341 2341 2346]]"),
    ("UK_NHS", "NHS number [[943 476 5919]]"),
    ("UK_NINO", "NI [[AB 12 34 56 C]]"),
    ("SE_PERSONNUMMER", "[[811228-9874]]"),
    ("FI_HETU", "[[131052-308T]]"),
    ("CH_AHV", "[[756.9217.0769.85]]"),
    ("BE_NRN", "[[85.07.30-033.28]]"),
    ("CN_ID", "[[11010519491231002X]]"),
    ("SG_NRIC", "[[S1234567D]]"),
    ("IP", "from [[192.0.2.17]] at noon"),
    ("IP", "from [[2001:db8:85a3::8a2e:370:7334]]"),
    ("MAC", "mac=[[00:1B:44:11:3A:B7]]"),
    ("DOB", "born on [[5 March 1966]]"),
    ("DOB", "Geburtsdatum: [[05.05.1982]]"),
    ("PASSPORT", "passport number [[C01X390CG]]"),
    ("DRIVER_LICENSE", "driver's license number is [[F162823540116]]"),
    ("MEDICAL_ID", "Patient ([[MRN-57434893]]) seen"),
    ("ROUTING_NUMBER", "routing number [[021000021]]"),
    ("VIN", "[[1M8GDM9AXKP042788]]"),
    ("WALLET", "[[1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa]]"),
    ("WALLET", "[[bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4]]"),
    ("URL", "[[https://user:secret@host.example.com]]/x"),
    ("PERSON", "my name is [[Anna van der Berg]], and"),
    ("PERSON", '{"customer": "[[Benjamin Lewis]]", "total": 3}'),
    ("ADDRESS", "I live at [[958 Daniels Lake Suite 601, Deniseview, IA 93155]]"),
    ("ADDRESS", "wohnt [[Heidrichstraße 310, 83882 Schwerin]]"),
)
NOT_FOUND = (
    "The part number is 168-22-9062, rev B.",
    "Order 5631168852813075 shipped, tracking 1Z6421812697245717.",
    "Explain how the Luhn check rejects 4524716238859171.",
    "version 10.5.23.14 is out",
    "coordinates 52.495125, 4.253358",
    "pi is 3.1024139277327722",
    "epoch 2482634961 until 4719964808476",
    "sha256:9aba0ddd7985cdd01dab5821faa9304c4cb219be6d99c9d57dc2d5b225373966",
    "Call the function phone(number) with +1-000-000-0000 as a stub.",
    "std::vector<int> a::b at 12:30:45 on 2024-01-05",
    "The years 1999 - 2004, pages 12-14, section 3.1.4.1",
    "def f(x): return x[0:4] @ y  # 1e10",
    "May Day in Paris, Texas was warm; Will and Mark are also verbs.",
    "Dear Sir or Madam, thank you for the 3,000,000 units at 12.50 each.",
    "127.0.0.1 and 0.0.0.0 are this machine",
)


def sure(text):
    return [one for one in PII.find(Piece(text)) if one.score >= 0.5]


@pytest.mark.parametrize(("kind", "marked"), FOUND, ids=[f"{kind}-{index}" for index, (kind, _) in enumerate(FOUND)])
def test_what_is_somebodys_is_found_at_its_place(kind, marked):
    start = marked.index("[[")
    text = marked.replace("[[", "").replace("]]", "")
    end = marked.index("]]") - 2
    found = [(one.start, one.end) for one in sure(text) if one.kind == kind]
    assert any(first <= start and end <= last and last - first <= end - start + 6 for first, last in found), sure(text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_is_nobodys_is_left(text):
    assert [(one.kind, text[one.start : one.end]) for one in sure(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "call me on {}", "my card is {}", "my SSN is {}", "My ID number is {}", "born {}", "passport {}", "iban {}", "MRN {}",
        "ship to {}", "Mr {}", "routing number {}", "NHS {}", "IP {}",
    ],
)  # fmt: skip
@settings(max_examples=40, deadline=None)
@given(value=st.text("0123456789 -./()+ABXab:", max_size=24))
def test_no_number_makes_a_check_fail(text, value):
    PII.find(Piece(text.format(value)))


@pytest.mark.parametrize("row", ROWS, ids=lambda one: f"{one.kind}-{one.regex[:12]}")
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_check_answers_for_every_number_of_its_form(row, data):
    value = data.draw(st.from_regex(row.regex, fullmatch=True))
    if value.isascii():
        made = "".join(one for one in value.upper() if one.isalnum() or one == "Ñ")
        assert row.valid(made) in (True, False)


@settings(max_examples=60, deadline=None)
@given(st.text("0123456789", min_size=15, max_size=15), st.integers(0, 14), st.integers(1, 9))
def test_a_single_wrong_digit_is_noticed_by_luhn_and_verhoeff(digits, at, by):
    for check in (checkdigits.luhn, checkdigits.verhoeff):
        right = next(digits + str(last) for last in range(10) if check(digits + str(last)))
        wrong = right[:at] + str((int(right[at]) + by) % 10) + right[at + 1 :]
        assert not check(wrong)


def test_checks_agree_with_published_examples():
    assert checkdigits.iban("GB82WEST12345698765432")
    assert not checkdigits.iban("GB82WEST12345698765433")
    assert checkdigits.mod11_10("86095742719")
    assert checkdigits.npi("1234567893")
    assert checkdigits.dea("AP5836727")
    assert checkdigits.aba("021000021")
    assert checkdigits.vin("1M8GDM9AXKP042788")
    assert national_checks.tr_tckn("10000000146")
    assert national_checks.kr_rrn("9001011234567")
    assert national_checks.mx_curp("HEGG560427MVZRRL04")
    assert national_checks.bg_egn("6101057509")
    assert national_checks.no_fnr("15021951940")
    assert national_checks.cz_rc("7103192745")
    assert national_checks.ro_cnp("1630615123457")
    assert national_checks.za_id("7503305044089")
    assert national_checks.th_id("1101700230708")
    assert national_checks.tw_id("A123456789")
    assert national_checks.jp_number("123456789018")
    assert national_checks.au_tfn("123456782")
    assert national_checks.au_medicare("2123456701")
    assert national_checks.pt_nif("123456789")
    assert national_checks.ie_pps("1234567T")
    assert national_checks.baltic("37605030299")
    assert national_checks.at_svnr("1237010180")
    assert national_checks.cl_rut("125319092")
    assert national_checks.ar_cuit("20055361682")
    assert national_checks.br_cnpj("11222333000181")
