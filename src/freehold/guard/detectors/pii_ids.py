"""Numbers that states and clinics give to people. A row for each; its check is the country's own.

Where the check alone would let chance through, a word nearby must say what the number is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from freehold.guard.detectors import national_checks as check
from freehold.guard.detectors.checkdigits import (
    dea,
    luhn,
    mod11_2,
    mod11_10,
    npi,
    short_date,
    verhoeff,
    vin,
)
from freehold.guard.detectors.patterns import Hit, Pattern
from freehold.guard.detectors.pii_words import IDENTITY, NOBODY, SSN, near, said


class Row(NamedTuple):
    """One kind of number."""

    kind: str
    regex: str
    valid: Callable[[str], bool]
    """Of the number in capitals, separators removed."""
    words: str = ""
    """What must stand before it; "" where the form is enough, `id` for any word of identity."""


_SEPARATORS = re.compile(r"[^0-9A-ZÑ]")


def _any(text: str) -> bool:
    return True


def _ssn_given(text: str) -> bool:
    """Ranges that are, or were, given (SSA): never 000, 666, group 00, serial 0000; 9 begins an ITIN."""
    return text[:3] not in ("000", "666") and text[3:5] != "00" and text[5:] != "0000"


def _itin(text: str) -> bool:
    """IRS: groups 50 to 65, 70 to 88, 90 to 92, 94 to 99."""
    group = int(text[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99


ROWS: tuple[Row, ...] = (
    Row("AR_CUIT", r"(?:20|2[347]|3[034])-\d{8}-\d", check.ar_cuit),
    Row("AT_SVNR", r"\d{4} ?\d{6}", check.at_svnr, r"svnr|sozialversicherung|versicherungsnummer|\bsv-"),
    Row("AU_MEDICARE", r"[2-6]\d{3} ?\d{5} ?\d(?:[ /-]\d)?", check.au_medicare, r"medicare"),
    Row("AU_TFN", r"\d{3} ?\d{3} ?\d{3}", check.au_tfn, r"\btfn\b|tax file"),
    Row("BE_NRN", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", check.be_nrn),
    Row("BE_NRN", r"\d{11}", check.be_nrn, "id"),
    Row("BG_EGN", r"\d{10}", check.bg_egn, r"\begn\b|егн"),
    Row("BR_CNPJ", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", check.br_cnpj),
    Row("BR_CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}", check.br_cpf),
    Row("BR_CPF", r"\d{9}-?\d{2}", check.br_cpf, "id"),
    Row("CA_SIN", r"\d{3}[ -]?\d{3}[ -]?\d{3}", luhn, r"id|\bsin\b|social insurance|\bnas\b"),
    Row("CH_AHV", r"756\.\d{4}\.\d{4}\.\d{2}|756\d{10}", check.ch_ahv),
    Row("CL_RUT", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]", check.cl_rut),
    Row("CL_RUT", r"\d{7,8}-[\dkK]", check.cl_rut, r"\brut\b|\brun\b"),
    Row("CN_ID", r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx]", mod11_2),
    Row("CZ_RC", r"\d{6}/\d{3,4}", check.cz_rc),
    Row("DE_STEUER_ID", r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}", mod11_10, r"id|steuer|tax|tin"),
    Row("DE_ID", r"[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\d?", _any, r"ausweis|reisepass|german id"),
    Row("DK_CPR", r"\d{6}-\d{4}", check.dk_cpr, r"id|\bcpr|danish|dansk"),
    Row("EE_LT_ID", r"\d{11}", check.baltic, r"isikukood|asmens|id"),
    Row("ES_DNI", r"\d{8}[ -]?[TRWAGMYFPDXBNJZSQVHLCKE]", check.es_dni),
    Row("ES_DNI", r"\d{2}\.\d{3}\.\d{3}[ -]?[TRWAGMYFPDXBNJZSQVHLCKE]", check.es_dni),
    Row("ES_NIE", r"[XYZ][ -]?\d{7}[ -]?[TRWAGMYFPDXBNJZSQVHLCKE]", check.es_nie),
    Row("FI_HETU", r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-Y]", check.fi_hetu),
    Row("FR_NIR", r"[12378] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", check.fr_nir),
    Row("GR_AMKA", r"\d{11}", lambda text: short_date(text[4:6] + text[2:4] + text[:2]) and luhn(text), r"amka|αμκα"),
    Row("HK_ID", r"[A-Z]{1,2}\d{6}\([0-9A]\)", _any),
    Row("HR_OIB", r"\d{11}", mod11_10, r"\boib\b"),
    Row("IE_PPS", r"\d{7}[A-W][A-IW]?", check.ie_pps),
    Row("IL_ID", r"\d{9}", luhn, r"teudat|israel|זהות|zehut"),
    Row("IN_AADHAAR", r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}", verhoeff),
    Row("IN_AADHAAR", r"[2-9]\d{11}", verhoeff, r"aadha+r|\buid|id"),
    Row("IN_PAN", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", _any),
    Row("IT_CF", r"[A-Za-z]{6}\d{2}[A-EHLMPRSTa-ehlmprst]\d{2}[A-Za-z]\d{3}[A-Za-z]", check.it_cf),
    Row("JP_NUMBER", r"\d{4}[ -]?\d{4}[ -]?\d{4}", check.jp_number, r"my ?number|マイナンバー|個人番号"),
    Row("KR_RRN", r"\d{6}-[1-8]\d{6}", check.kr_rrn),
    Row("MX_CURP", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", check.mx_curp),
    Row("MX_NSS", r"\d{11}", luhn, r"id|\bnss\b|imss"),
    Row("MX_RFC", r"[A-ZÑ&]{4}\d{6}[A-Z0-9]{2}[0-9A]", lambda text: short_date(text[4:10]), r"\brfc\b|id|fiscal"),
    Row("MY_NRIC", r"\d{6}-(?:0[1-9]|[1-5]\d)-\d{4}", lambda text: short_date(text[:6])),
    Row("NL_BSN", r"\d{9}|\d{4}\.\d{2}\.\d{3}", check.nl_bsn, "id"),
    Row("NO_FNR", r"\d{6} ?\d{5}", check.no_fnr),
    Row("PL_PESEL", r"\d{11}", check.pl_pesel, "id"),
    Row("PT_NIF", r"[1235689]\d{2} ?\d{3} ?\d{3}", check.pt_nif, r"\bnif\b|contribuinte|id"),
    Row("RO_CNP", r"[1-9]\d{12}", check.ro_cnp, "id"),
    Row("SE_PERSONNUMMER", r"(?:19|20)?\d{6}[-+]\d{4}", check.se_pnr),
    Row("SE_PERSONNUMMER", r"(?:19|20)\d{10}", check.se_pnr, "id"),
    Row("SG_NRIC", r"[STFGM]\d{7}[A-Z]", check.sg_nric),
    Row("TH_ID", r"\d-\d{4}-\d{5}-\d{2}-\d", check.th_id),
    Row("TR_TCKN", r"[1-9]\d{10}", check.tr_tckn, "id"),
    Row("TW_ID", r"[A-Z][1289]\d{8}", check.tw_id),
    Row("UK_NHS", r"\d{3}[ -]\d{3}[ -]\d{4}", check.uk_nhs, r"id|\bnhs|health|patient|medical"),
    Row("UK_NHS", r"\d{10}", check.uk_nhs, r"\bnhs\b"),
    Row("UK_NINO", r"[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", check.uk_nino),
    Row("UK_NINO", r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-Z]", _any, r"id|insurance|\bnino?\b"),
    Row("US_DEA", r"[ABFGMPRX][A-Z9]\d{7}", dea),
    Row("US_EIN", r"\d{2}-\d{7}", _any, r"\bein\b|employer id|\bfein\b"),
    Row("US_ITIN", r"9\d{2}[- ]\d{2}[- ]\d{4}", _itin, r"itin|taxpayer|\btin\b|tax id"),
    Row("US_MBI", r"[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?"
        r"[AC-HJKMNP-RT-Y]{2}\d{2}", _any),
    Row("US_NPI", r"[12]\d{9}", npi, r"\bnpi\b|provider"),
    Row("VIN", r"[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}", lambda text: vin(text) and not text.isdigit()),
    Row("VIN", r"[A-HJ-NPR-Z0-9]{17}", lambda text: not text.isdigit(), r"\bvin\b|vehicle id|chassis"),
    Row("ZA_ID", r"\d{6} ?\d{4} ?\d{3}", check.za_id, "id"),
    Row("IMEI", r"\d{15}|\d{2}-\d{6}-\d{6}-\d", luhn, r"\bimei"),
    Row("FR_NIR", r"[12]\d{14}", _any, r"sécurité sociale|\bnir\b|\binsee\b|securite sociale"),
    Row("NZ_NHI", r"[A-HJ-NP-Z]{3}\d{4}", _any, r"\bnhi\b"),
    Row("IS_KT", r"\d{6}-?\d{4}", lambda text: short_date(text[4:6] + text[2:4] + text[:2]), r"kennitala"),
)  # fmt: skip


def _row(row: Row) -> Pattern:
    words = IDENTITY if row.words == "id" else re.compile(f"(?i){row.words.removeprefix('id|').removesuffix('|id')}")
    also = row.words.startswith("id|") or row.words.endswith("|id")

    def verify(hit: Hit) -> float:
        if re.search(r"[\d][.,\-/]\Z|[#=_/.\-]\Z", hit.before) or re.match(r"[.,\-/]\d|[_=@]", hit.after):
            return 0
        if not row.valid(_SEPARATORS.sub("", hit.value.upper())):
            return 0
        if row.words:
            return 0.95 if near(words, hit.before, 64) or (also and near(IDENTITY, hit.before, 48)) else 0
        if near(NOBODY, hit.before, 40) and not near(IDENTITY, hit.before, 40):
            return 0.4
        return 0.9

    told = f"{said(words)}|{said(IDENTITY)}" if also else said(words)
    return Pattern(row.kind, row.regex, verify, after=2, words=told if row.words else "")


def _ssn(hit: Hit) -> float:
    digits = re.sub(r"\D", "", hit.value)
    if re.search(r"[\d][.,\-]\Z|[\-/]\Z", hit.before) or re.match(r"[.,\-]\d|-", hit.after) or not _ssn_given(digits):
        return 0
    if near(SSN, hit.before, 64):
        return 1.0
    if digits[0] == "9" or " " in hit.value or "-" not in hit.value or near(NOBODY, hit.before, 48):
        return 0
    return 0.7


def _labelled(hit: Hit) -> float:
    """A number that the words right before it call by its name."""
    if sum(map(str.isdigit, hit.value)) < 3 or re.match(r"[.,]\d", hit.after) or near(NOBODY, hit.before, 40):
        return 0
    return 0.8


_LEAD = (
    r"(?: (?:card|document|carte|karte))?(?: ?(?:numbers?|num|no|nos|nr|n°|nº|#|id|code)\.?)?"
    r"(?: (?:is|was|are|of|ist|est|es|è|é|jest))?[ :#=\-]{1,3}"
)


def _called(kind: str, regex: str, *names: str) -> Pattern:
    words = re.compile(rf"(?i)(?:{'|'.join(names)}){_LEAD}(?:is )?\Z")

    def verify(hit: Hit) -> float:
        return _labelled(hit) if words.search(hit.before) else 0

    return Pattern(kind, regex, verify, words=said(re.compile("|".join(names))))


_NUMBER = r"[A-Z0-9]{2,6}(?:-[A-Z0-9]{2,8}){1,3}|(?:[A-Za-z]{0,4}-?)?\d[A-Za-z0-9]{3,17}|[A-Z]{1,3}[0-9][0-9A-Z]{3,14}"
_GROUPED = rf"\d{{2,6}}(?:[ ./-]\d{{2,6}}){{1,4}}|{_NUMBER}"
_RECORD = (
    r"(?i:MRN|medical record(?: (?:no|number|num))?|patient (?:id|no|number)|health (?:card|plan|record)"
    r"(?: (?:id|no|number))?|hospital (?:id|no|number)|chart (?:no|number))\.?[ :#\-]{0,3}(?:[A-Z]{1,4}-?)?\d{4,14}"
)
_WHOSE = (
    r"(?:my|your|his|her|their|our|national|citizen|government|personal|student|employee|member|voter|identity|"
    r"identification|photo|resident|foreigner|staff|customer|client|beneficiary|subscriber|policy ?holder|account|"
    r"claim) (?:id|identification|identity)"
)

IDS: tuple[Pattern, ...] = (
    *(_row(row) for row in ROWS),
    Pattern("US_SSN", r"\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}|\d{9}", _ssn, after=2),
    Pattern("MEDICAL_ID", _RECORD, _labelled),
    _called(
        "PASSPORT", _NUMBER, "passport", "passeport", "pasaporte", "passaporto", "passaporte", "reisepass",
        "reisepassnummer", "paspoort(?:nummer)?", "paszport(?:u)?",
    ),
    _called(
        "DRIVER_LICENSE", _NUMBER, r"driv(?:er.?s?|ing)[ -]licen[cs]e", r"\bdl", "permis de conduire", "patente", "cnh",
        "führerschein(?:nummer)?", "licencia de conducir", "rijbewijs(?:nummer)?", "prawo jazdy",
    ),
    _called(
        "ID_NUMBER", _GROUPED, _WHOSE, r"\bid(?:entification|entity)?[ -](?:number|num|no)",
        "personal (?:number|code)", "national (?:id|number)", "ssn", "social security", "fiscal", "tax (?:id|number)",
        "(?:identity|national) card", "ausweis(?:nummer)?", "carte d.identité", "documento",
        "(?:insurance|policy) (?:member )?", "tax(?:payer)?", "social insurance", "health plan(?: beneficiary)?",
        "certificate", "beneficiary", "matricule", "personalnummer", "kundennummer", "customer",
    ),
    _called("CVV", r"\d{3,4}", "cvv2?", "cvc2?", "security code", "card verification (?:code|value)", "prüfnummer"),
    _called(
        "LICENSE_PLATE", r"[A-Z0-9]{1,4}[ \-]?[A-Z0-9]{1,4}(?:[ \-]?[A-Z0-9]{1,4})?", "licen[cs]e plate", r"\bplate",
        "number plate", "registration plate", "kennzeichen", "targa", "immatriculation", "matrícula",
    ),
)  # fmt: skip
