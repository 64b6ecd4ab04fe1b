from __future__ import annotations

import base64

import pytest

from freehold.guard.detectors.regulated import LABELS, RAISES, Regulated, has_card, read_cues
from freehold.guard.profile import compile_profile
from freehold.guard.types import Piece, Profile

DETECTOR = Regulated()
SENSITIVE = (
    ("CLASSIFIED", "TOP SECRET//SI//NOFORN\nSummary of intercepts"),
    ("CLASSIFIED", "(U//FOUO) Distribution is limited."),
    ("CLASSIFIED", "VS-VERTRAULICH - amtlich geheimgehalten\nBericht der Aufkl\u00e4rung"),
    ("CLASSIFIED", "CONFIDENTIEL D\u00c9FENSE\nNote sur les capacit\u00e9s"),
    ("CLASSIFIED", "NATO RESTRICTED exercise plan"),
    ("EXPORT_CONTROL", "Item classified under ECCN 3A001.a.2, licence required for China."),
    ("EXPORT_CONTROL", "Export controlled - US persons only. Inertial navigation unit calibration."),
    ("EXPORT_CONTROL", "Ausfuhrgenehmigungspflichtig, Ausfuhrliste Teil I A, Position 0006."),
    ("HR", "Annual appraisal for Peter Novak: does not meet expectations, bonus cut to zero."),
    ("HR", "Frau Petra Lang ist seit 3. Mai krankgeschrieben; bitte Personalakte erg\u00e4nzen."),
    ("HR", "Anna Kowalska's salary will go from 62,000 to 68,000 EUR from January."),
    ("LEGAL_PRIVILEGED", "Attorney-client privileged. Please summarise the advice of counsel on the patent claim."),
    ("LEGAL_PRIVILEGED", "This memo was prepared by counsel in anticipation of litigation with Borealis."),
    ("MNPI", "The board approved a 2bn share buyback, unannounced; please prepare the Q&A."),
    ("MNPI", "Project Orion: the target accepted our offer of 27 per share; the market doesn't know yet."),
    ("PCI", "Charge 5500 0000 0000 0004, expiry 09/28, security code 123"),
    ("PCI", "%B4242424242424242^DOE/JANE^27121010000000000?"),
    ("PHI", "Pt c/o SOB x3 days, BP 150/95, hx of COPD. Start prednisone 40 mg PO daily."),
    (
        "PHI",
        "Patientin, 54 Jahre, klagt \u00fcber Schmerzen im Knie. Diagnose: Gonarthrose. Ibuprofen 600 mg bei Bedarf.",
    ),
    ("PHI", "Name: Tom Hale, DOB 02/03/1970, MRN 882731, ICD-10 E11.9, prescribed insulin."),
    ("TRADE_SECRET", "This is our trade secret: the coating is 12% PTFE at 380 C for 20 minutes. Never publish."),
    ("TRADE_SECRET", "Gesch\u00e4ftsgeheimnis: Rezeptur der Legierung 4, 3 % Mangan."),
)
HARMLESS = (
    "Explain what attorney work product means.",
    "What is a trade secret and how do courts define it?",
    "Write a template for an employee performance review.",
    "Our parental leave policy gives 16 weeks to all parents.",
    "News: Acme Corp said on Tuesday it agreed to acquire Beta Inc for 30 dollars per share.",
    "Ibuprofen 200 mg every 6 hours is a usual dose for headaches; see a doctor if symptoms persist.",
    "The spy opened a folder marked TOP SECRET and smiled.",
    "What does NOFORN mean?",
    "Explain the difference between ITAR and EAR.",
    "What does the CVV on a card mean?",
    "Order 1234567890123456 was shipped on 05/27.",
    "My grandmother's secret recipe for apple pie: 3 apples and sugar.",
    "Confidential\nPlease review the attached slides about our team event.",
    "The movie is about a doctor: he treats patients with cancer and diabetes in Boston.",
    "assets/f0eb1acf0da84c06a50c5b2c59932001997786b176dec02bd16128ee9ea83628.png",
)


def kinds(text):
    return {one.kind for one in DETECTOR.find(Piece(text))}


@pytest.mark.parametrize(("kind", "text"), SENSITIVE)
def test_regulated_content_is_known(kind, text):
    assert kinds(text) == {kind}


@pytest.mark.parametrize("text", HARMLESS)
def test_speaking_about_a_matter_is_not_having_it(text):
    assert kinds(text) == set()


def test_kinds_that_need_a_person_are_not_found_without_one():
    assert "HR" not in DETECTOR.weigh("written warning, salary band E4, severance package")
    assert DETECTOR.weigh("Ann Lee: written warning, salary band E4, severance package")["HR"] > 1


@pytest.mark.parametrize(
    "disguised",
    [
        "Fix this: " + base64.b64encode(b"Patient Ana Kovac, MRN 48213377, HIV positive, start ART today.").decode(),
        "P\u200ba\u200btient Ana Kovac, M\u200bRN 48213377, HIV positive",
        "Read " + b"Patient Ana Kovac, MRN 48213377, HIV positive".hex(),
    ],
)
def test_what_is_encoded_is_read(disguised):
    assert kinds(disguised) == {"PHI"}


def test_cues_far_apart_are_no_evidence_together():
    cues = ("board only", "to be announced on Monday", "guidance", "Project Orion: notes", "not public")
    assert DETECTOR.weigh(" ".join(cues))["MNPI"] > 1
    assert kinds((" filler" * 300).join(cues)) == set()
    assert kinds(" filler" * 300 + " ".join(cues) + " filler" * 300) == {"MNPI"}


def test_more_evidence_scores_higher_and_just_enough_passes_the_default_threshold():
    (weak,) = DETECTOR.find(Piece("NATO SECRET\nAnnex B"))
    (strong,) = DETECTOR.find(Piece("NATO SECRET\n(S//NOFORN) SIGINT: convoy moves. REL TO USA, GBR"))
    assert 0.5 <= weak.score < strong.score < 1
    assert (weak.start, weak.end) == (0, len("NATO SECRET\nAnnex B"))


@pytest.mark.parametrize(
    ("text", "card"),
    [("4111 1111 1111 1111", True), ("4111 1111 1111 1112", False), ("0000000000000000", False), ("4" * 16, False)],
)
def test_card_numbers_pass_their_check_digit(text, card):
    assert has_card(f"number {text}.") is card


def test_the_rules_raise_every_kind_to_a_label():
    guard = compile_profile(Profile(name="t", rules=RAISES), {"regulated": DETECTOR})
    assert {guard.rule(one, "in", "user").label for one in DETECTOR.find(Piece(SENSITIVE[0][1]))} == {LABELS[0][1]}
    assert {one.kind for one in read_cues()} - {"*"} == set(Regulated.kinds)
