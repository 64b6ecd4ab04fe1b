"""Words around a number that say what it is, or that it is nobody's: in the languages that the tests speak.

Looked for in a bounded stretch beside a match, never in the whole text.
"""

from __future__ import annotations

import re

PHONE = re.compile(
    r"(?i)phone|t[eé]l[eé]?f|t[eé]l[ée]phone|\b(?:tel|tél|tlf|fon|gsm|ring|desk|fax)\b|mobil|m[oó]vil|handy|"
    r"\bcell\b|cellular|celular|cellulare|\bcall(?:ed|ing|s|back)?\b|"
    r"\b(?:text|texted|texting) (?:me|him|her|us|them)|\bsms\b|whats ?app|\bviber\b|\bsignal\b|contact|kontakt|"
    r"contatt|contato|reach|dial|hotline|rufnummer|komórk|komork|recapito|appele|messages? to|registered|voicemail|"
    r"pager|anrufen|\b(?:my|his|her|our|your|their|new) number|bel (?:me|ons)|llám|llama|ligue|zadzwoń|answer|"
    r"pick(?:ing)? up|電話|电话|手机|携帯|전화|телефон|फ़ोन|फोन|هاتف"
)
PHONE_AFTER = re.compile(
    r"(?i)[\s,;:(\-\u2013]{0,3}(?:(?:is|was) (?:my|his|her|their|our) (?:new )?)?"
    r"(?:number|office|fax|mobile|cell|home|work|desk|direct|tel|phone|ext|\\?,?handy)\b"
)
CARD = re.compile(
    r"(?i)\bcards?\b|\bpay(?:ing|ment|s)?\b|\bpaid\b|\bcharged?\b|\bexp(?:iry|ires|iration|\.)?\b|\bcv[vc]|\bcc\b|"
    r"credit|debit|visa|master ?card|amex|american express|maestro|discover\b|diners|jcb|kreditkart|kartennummer|"
    r"carte (?:bancaire|bleue|de)|tarjeta|carta di|cart[aã]o|kaart|karta|karty|kort\b|カード|银行卡"
)
NOBODY = re.compile(
    r"(?i)\b(?:orders?|tracking|parts?|items?|serial|sku|model|product|invoice|ticket|version|ver|rev|revision|build|"
    r"release|isbn|issn|ean|upc|epoch|timestamp|unix|commit|hash|sha\d*|md5|checksum|coordinates?|latitude|longitude|"
    r"lat|lon|lng|pi|reference|luhn|example|sample|stub|dummy|"
    r"placeholder|catalog(?:ue)?|batch|lot|port|error|code|line|row|page|"
    r"chapter|section|figure|table|volume|pmid|doi|arxiv|bestellung|commande|pedido|ordine|zamówienie|numéro de série|"
    r"bestelling|versão|versione|versión)\b[^.!?\n]{0,28}$"
)
"""What these words name is a thing."""
IDENTITY = re.compile(
    r"(?i)\bid\b|\bids\b|identi|national|citizen|personal (?:number|code|id)|personnummer|persönlich|ausweis|"
    r"\bssn\b|social|tax|fiscal|steuer|\btin\b|\bnif\b|\bnie\b|\bdni\b|\bcpf\b|\bcnpj\b|\bpesel\b|\bbsn\b|"
    r"burgerservice|\bnhs\b|\bnino\b|insurance|aadhaar|aadhar|\buid\b|\bpan\b|passport|sécu|\bnir\b|\binsee\b|"
    r"numéro (?:de|d')|número|numero|codice|\boib\b|\begn\b|\bcnp\b|\bcpr\b|\bfnr\b|fødsels|\brut\b|\bcuit\b|"
    r"\bcuil\b|\bcurp\b|\brfc\b|\bnric\b|mykad|\btfn\b|medicare|\bsin\b|\babn\b|patient|kimlik|\btc\b|my ?number|"
    r"マイナンバー|身份证|주민|\bpps|"
    r"\bsvnr\b|versicherung|identyfik|dowód|rodné|isikukood|asmens|kennitala|\bamka\b|\bafm\b|"
    r"\btaj\b"
)
SSN = re.compile(r"(?i)\bssn\b|\bss#|social[ -]?sec|\bsocial\b|\bitin\b|taxpayer|\btin\b|\btax\b")
BORN = re.compile(
    r"(?i)\bborn\b|birth|\bdob\b|d\.o\.b|b-?day|gebor|geburt|\bgeb\.|naissance|\bnée?\b|naci(?:do|da|miento)|"
    r"nat[oa] (?:il|a)|nascit|nascid|nascimento|"
    r"urodz|\bur\.|født|född|syntyn|narozen|születet|doğum|生年月日|出生|생년월일|"
    r"рожд|\bgeboorte"
)
IP_NOT = re.compile(
    r"(?i)(?:\bv|version|versie|versión|versione|ver\.?|release|build|section|§|firmware|chapter|rev\.?)[\s:=#]{0,2}$"
)
SITE = re.compile(
    r"(?i)web ?site|web ?page|home ?page|\bblog\b|portfolio|profile|\bsite\b|\burl\b|my |your |his |her |posted|"
    r"shared|linked ?in|webseite|página|sito|strona|seite"
)
ADDRESS = re.compile(
    r"(?i)address|adres|indirizzo|dirección|direccion|endereço|anschrift|\bliv(?:e|es|ed|ing) (?:at|on|in)|"
    r"ship(?:ped)? to|deliver|resid|moved? to|wohn|habite|vive en|abita|mora (?:em|na)|mieszka|"
    r"send (?:it|this|them) to|mail(?:ed)? to|located|arrived? at|off at|house|home|sent to|\bbill"
)


def said(words: re.Pattern[str]) -> str:
    """The words as a pattern of RE2 that finds them wherever they stand, and perhaps more."""
    return re.sub(r"\(\?i\)|\\b|\\Z|\$$", "", words.pattern)


def near(words: re.Pattern[str], text: str, last: int = 80) -> bool:
    """Do the words stand in the last characters of `text`?"""
    return words.search(text[-last:]) is not None
