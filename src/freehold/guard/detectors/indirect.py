"""Instructions where only data should be: in a tool's result, a document, a retrieved passage.

Each sentence and line is weighed: does it order something, speak of the reader's answer, address a model, ask for
secrecy or for something to be sent, stand out from a table or a listing, or read like an attack? Rules of our own,
nothing trained. Questions that a document might as well contain are not told from attacks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from freehold.guard.detectors.injection import Injection
from freehold.guard.detectors.injection_features import about
from freehold.guard.normalise import views
from freehold.guard.types import Finding, Piece
from freehold.guard.unseen import fold

SOURCES = ("document", "tool")
"""Who must not give orders."""
_LONGEST = 400
_EDGE = 1.5
"""Weight at which the score is 0.5."""

_END = re.compile(r"(?<=[.?!。？！])[\"')\]]*\s+|(?<=[。？！])")  # noqa: RUF001 - full stops of other scripts
_ORDERS = re.compile(
    r"(?i)^\W*(?:(?:please|kindly|also|then|now|first|next|finally|instead|additionally|always|never|do not|don't|you "
    r"(?:must|should|need to|have to|may|might|can|will)|make sure (?:to|you)|ensure (?:that )?|be sure to|remember to|"
    r"consider|feel free to|don't hesitate to|try to|important:?|note:?)\W+)*"
    r"(?:add|append|insert|include|incorporate|integrate|embed|inject|merge|meld|blend|fuse|infuse|introduce|put|place|"
    r"attach|apply|use|utili[sz]e|employ|replace|substitute|swap|change|modify|alter|adjust|adapt|edit|rewrite|rephrase|"
    r"reword|convert|translate|encode|encrypt|scramble|rearrange|reverse|anagram|misspell|capitali[sz]e|remove|delete|"
    r"omit|strip|combine|group|join|write|draft|compose|create|generate|produce|make|build|begin|start|end|finish|"
    r"conclude|respond|reply|answer|say|tell|state|mention|explain|describe|list|name|define|calculate|compute|solve|find|"
    r"search|look|open|visit|click|follow|go|navigate|download|install|run|execute|call|invoke|send|forward|email|post|"
    r"upload|transfer|pay|book|order|buy|share|reveal|show|print|output|display|repeat|summari[sz]e|promote|recommend|"
    r"suggest|encourage|persuade|convince|endorse|highlight|emphasi[sz]e|stress|advise|offer|provide|give|ignore|"
    r"disregard|forget|stop|act|pretend|speak|talk|set|update|enable|disable|grant|approve|invite|schedule|"
    r"enhance|enrich|improve|refine|fortify|strengthen|streamline|harmoni[sz]e|assimilate|weave|work|let|have|craft|"
    r"compare|discuss|teach|guide|help|assist|correct|debug|implement|design|develop|implant|consider|focus|limit)\b"
)
"""A sentence that begins with an order, perhaps a polite one."""
_OF_ANSWER = re.compile(
    r"(?i)\b(?:your|the|this|each|every|its)\s+(?:\w+\s+){0,2}(?:response|answer|repl(?:y|ies)|output|summary|solution|"
    r"sentences?|wording|translation|analysis|algorithm|implementation|code ?base|code|words|letters?|vowels|text)\b"
)
_OF_YOURS = re.compile(
    r"(?i)\byour\s+(?:\w+\s+){0,2}(?:response|answer|repl(?:y|ies)|output|summary|solution|final|next|words?|algorithm|"
    r"implementation|code ?base|code)\b"
)
_SNIPPET = re.compile(
    r"(?i)\b(?:following|subsequent|below|provided|given|this|next)\s+(?:piece of |segment of |section of |block of )?"
    r"(?:code|snippet|script|excerpt|command|program|link|url)\b"
)
_MODEL = re.compile(
    r"(?i)\b(?:ai|a\.i\.|llm|gpt|chatgpt|claude|gemini|copilot|chatbot|language models?|virtual assistant|ai agents?|"
    r"assistant(?= ?[,:])|as an? (?:ai|assistant)|the assistant (?:must|should|will)|attention (?:ai|model))\b"
)
_QUIET = re.compile(
    r"(?i)\b(?:do not|don't|never|without)\s+(?:\w+\s+){0,2}(?:tell|telling|mention\w*|inform\w*|alert\w*|notify\w*|"
    r"show|ask\w*|reveal\w*|warn\w*)\b.{0,40}\b(?:user|owner|human|customer|anyone|anybody|it|this|them)\b"
)
_SENDS = re.compile(
    r"(?i)\b(?:send|forward|e-?mail|post|upload|transfer|submit|exfiltrate|leak|export|report|copy|share)\b.{0,80}"
    r"(?:https?://|www\.|[\w.+-]+@[\w-]+\.\w|\baccount\b|\bwebhook\b|\baddress\b)"
)
_ASKS = re.compile(
    r"(?i)^\W*(?:what|who|whom|whose|which|when|where|why|how|(?:can|could|would|will|do|are) you)\b.*\?\W*$"
)
_HIDDEN = re.compile(
    r"(?i)<!--|display:\s?none|visibility:\s?hidden|font-size:\s?0|opacity:\s?0|color:\s?(?:white|#fff)|aria-hidden"
)
_ROW = re.compile(
    r"^\s*(?:\||[\w\"'().\[\]-]+\s?[=:({\[,]|[{}\[\]()<#@]|at |File |import |from |def |class |return )|\t|,.*,"
)
_PROSE = re.compile(r"^\W{0,3}[A-Z][\w'’-]*(?: [\w'’\"(),:;-]+){2,}")  # noqa: RUF001 - apostrophes as people type them


class Indirect:
    """Judges results and documents as a whole: `indirect_injection`."""

    name = "indirect"
    span = 0
    context = 0
    kinds = ("indirect_injection",)
    version = "1"

    def __init__(self, injection: Injection | None = None) -> None:
        self._injection = injection or Injection()

    def find(self, piece: Piece) -> tuple[Finding, ...]:
        """One finding over the whole piece, where it is a tool's or a document and something in it gives orders."""
        if piece.source not in SOURCES or not piece.text.strip():
            return ()
        score = self.score(piece.text)
        if score < 0.2:
            return ()
        return (Finding(detector=self.name, kind=self.kinds[0], start=0, end=len(piece.text), score=round(score, 4)),)

    def score(self, text: str) -> float:
        """In [0, 1], of the weightiest sentence in any reading of the text; 0.5 is the threshold."""
        readings = [fold(text).text, *(view.text for view in views(text))]
        most = max((self._weigh(unit, odd) for one in readings for unit, odd in units(one)), default=0.0)
        if self._injection.find_hidden(text):
            return 1.0
        return 1 / (1 + math.exp(-2.5 * (most - _EDGE)))

    def _weigh(self, unit: str, odd: bool) -> float:
        """How much one sentence reads like an order to whoever reads the data. `odd`: it stands out from rows."""
        orders = _ORDERS.match(unit) is not None
        weight = 1.0 if orders else 0.0
        if _OF_YOURS.search(unit):
            weight += 1.3
        elif orders and _OF_ANSWER.search(unit):
            weight += 0.8
        if _SNIPPET.search(unit):
            weight += 1.0 if orders or "your" in unit.lower() else 0.3
        if _MODEL.search(unit):
            weight += 0.9
        if _QUIET.search(unit):
            weight += 1.2
        if _SENDS.search(unit):
            weight += 0.8 if orders else 0.3
        if _HIDDEN.search(unit):
            weight += 0.6
        if odd and (orders or _ASKS.match(unit)):
            weight += 1.2 if orders else 2.0
        if weight > 0.9 or _suspect(unit):
            weight += 2.0 * max(0.0, self._injection.score(unit) - 0.25)
        return weight


def _suspect(unit: str) -> bool:
    """Does it hold words of two classes that attacks are made of?"""
    classes = {about(word) for word in re.findall(r"[^\W\d_]+", unit.lower())[:60]}
    return len(classes & {"drop", "break", "before", "rules", "prompt", "reveal", "secret", "free", "model"}) >= 2


def units(text: str) -> Iterator[tuple[str, bool]]:
    """(sentence, stands out) of a text: prose among rows of a table, a listing or a log stands out."""
    lines = [line for line in text.split("\n") if line.strip()]
    rows = [_ROW.search(line) is not None for line in lines]
    tabular = len(lines) >= 3 and sum(rows) * 3 >= len(lines) * 2
    for line, row in zip(lines, rows, strict=True):
        odd = tabular and not row and _PROSE.match(line) is not None
        for sentence in _END.split(line):
            unit = sentence.strip()
            if len(unit) > 7:
                yield unit[:_LONGEST], odd
