"""Where people live: streets as eight languages write them, where a word nearby or a postcode says so.

Spans begin and end roughly: what matters is that the street, the number and the town go.
"""

from __future__ import annotations

import re

from freehold.guard.detectors.patterns import CAPITALS, LETTERS, Hit, Pattern
from freehold.guard.detectors.pii_words import ADDRESS, near, said

UP = rf"[{CAPITALS}][{LETTERS}'’.\-]{{0,24}}"  # noqa: RUF001 - both apostrophes are in use
_STREET_EN = (
    r"(?:"
    r"Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Sq|"
    r"Terrace|Ter|Parkway|Pkwy|Highway|Hwy|Way|Trail|Crescent|Close|Gardens|Grove|Mews|Row|Hill|Walk|Bridge|"
    r"Tunnel|Path|Plaza|Ridge|Heights|Park|View|Green|Cove|Loop|Point|Run|Pass|Pike|Alley|Estate|Estates|"
    r"Station|Views|Ways|Forks?|Lakes?|Mission|Island|Ports?|Ville|Vista|Valley|Meadows?|Springs?|Shoals?|"
    r"Rapids?|Harbors?|Crossing|Creek|Cliffs?|Canyon|Brook|Branch|Bend|Bay|Inlet|Junction|Key|Knolls?|Landing|"
    r"Locks?|Manor|Mill|Mountain|Oval|Pines?|Plain|Prairie|Ranch|Spur|Stravenue|Stream|Summit|Throughway|"
    r"Trace|Track|Turnpike|Union|Viaduct|Village|Walks|Wells|Expressway|Extension|Falls|Ferry|Fields?|Flats?|"
    r"Fords?|Forest|Forge|Freeway|Garden|Gateway|Glens?|Haven|Hollow|Isle|Roads|Rue|Burgs?"
    r")"
)
_WORDS = rf"{UP}(?: {UP}){{0,3}}"
_UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Flat|Studio|No|#)\.? ?#?[\dA-Za-z]{1,6})"
_TOWN = (
    rf"(?:[,\n]{{1,2}} ?{_WORDS}){{0,3}}"
    rf"(?:[,\n ]{{1,2}}(?:[A-Z]{{2}} )?(?:\d{{5}}(?:-\d{{4}})?|[A-Z]{{1,2}}\d[A-Z0-9]? ?\d[A-Z]{{2}}))?"
)
_CITY = rf"(?:, ?(?:[A-Z]{{1,3}}-)?\d{{2,6}}(?:-\d{{2,4}})?(?: ?[A-Z]{{2}})? {_WORDS}(?: ?[/(] ?{UP}\)?)?)?"
_TAIL = (
    rf"(?:,? \d{{1,5}}[A-Za-z]?(?:[/\-]\d{{1,4}})?)?(?:,? {UP}(?: {UP}){{0,4}})?"
    rf"(?:,? \d{{2,8}}(?:-\d{{2,4}})?(?: {_WORDS})?(?: ?/ ?[A-Z]{{2}})?)?"
)


def _somewhere(hit: Hit) -> float:
    return 0.8 if near(ADDRESS, hit.before, 60) or re.search(r"\d{4,}", hit.value) else 0.55


def _placed(hit: Hit) -> float:
    return 0.75 if near(ADDRESS, hit.before, 48) else 0


_STREET_DE = (
    r"(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|straat|laan|plein|gracht|singel|kade|dreef|hof|"
    r"[ \-](?:Straße|Ring|Weg|Platz|Allee|Gasse))"
)
_STREET_FR = (
    r"(?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Cc]hemin|[Pp]lace|[Aa]llée|[Ii]mpasse|[Qq]uai) (?:de |du |des |de la |d')?"
)
_STREET_SOUTH = (
    r"(?:Calle|C/|Avenida|Av\.|Avda\.|Plaza|Paseo|Camino|Carrera|Glorieta|Ronda|Cuesta|Pasaje|Via|Viale|Piazza|Corso|"
    r"Vicolo|Strada|Contrada|Borgo|Rua|Travessa|Praça|Largo|Residencial|Quadra|Alameda|Rodovia|Estrada|Ladeira|Jardim|"
    r"Condomínio|Conjunto|Parque|Setor|Loteamento|ul\.|al\.|pl\.|os\.|aleja|plac) "
    r"(?:de |del |de la |da |do |dos |das )?"
)
_POST = r"(?:[A-Z]{1,2}\d[A-Z0-9]? ?\d[A-Z]{2}|(?:[A-Z]{2},? )?[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_SAID = said(ADDRESS)

PLACES: tuple[Pattern, ...] = (
    Pattern("ADDRESS", rf"\d{{1,6}}[A-Za-z]? {_WORDS} {_STREET_EN}\.?{_UNIT}?{_TOWN}", _somewhere),
    Pattern(
        "ADDRESS",
        rf"{UP}(?:[ \-]{UP}){{0,3}}{_STREET_DE} \d{{1,4}}(?: ?[a-z])?(?:/\d{{1,4}})?{_CITY}",
        _somewhere,
    ),
    Pattern("ADDRESS", rf"(?:\d{{1,4}},? )?{_STREET_FR}{UP}(?:[ \-]{UP}){{0,4}}{_CITY}", _somewhere),
    Pattern("ADDRESS", rf"{_STREET_SOUTH}{UP}(?: (?:de|da|do|{UP})){{0,4}}{_TAIL}", _placed, words=_SAID),
    Pattern("ADDRESS", rf"(?:H\.? ?No\.? ?)?\d{{1,4}},? {_WORDS},? {UP}(?: {UP})?[ \-]\d{{5,6}}", _placed, words=_SAID),
    Pattern(
        "ADDRESS",
        r"(?:(?:Flat|Studio|Unit|Apt\.?) ?\d{1,4}[A-Za-z]?,? )?\d{1,5}[A-Za-z]?,? ?"
        rf"{_WORDS}(?:,? {_WORDS}){{0,3}},? {_POST}",
        _somewhere,
    ),
    Pattern(
        "ADDRESS",
        rf"\d{{1,5}}[A-Za-z]? {_WORDS}(?:, {_WORDS}){{0,3}},? [A-Z]{{2,3}},? \d{{4,5}}",
        _somewhere,
    ),
    Pattern("POSTCODE", r"[A-Z]{1,2}\d[A-Z0-9]? \d[A-Z]{2}", _placed, words=_SAID),
)
