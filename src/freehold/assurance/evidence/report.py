"""Evidence as one page an auditor can read: standing by control, what it was computed from, what speaks against it.

Pure; made from the document alone, so page and file cannot disagree. No script, nothing fetched, all escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from freehold.assurance.evidence.types import STANDINGS, Answer, Document, Result, Standing

TOLD: dict[Standing, str] = {
    "not_met": "not met",
    "unknown": "unknown",
    "no_records": "no records",
    "person": "needs a person",
    "in_part": "in part",
    "met": "met",
}
_MEANS: dict[Standing, str] = {
    "not_met": "records speak against it; they are listed",
    "unknown": "the records could not be read, or do not tell",
    "no_records": "nothing it is about has happened here",
    "person": "no record of this instance can answer it",
    "in_part": "every record that was looked at holds; the rest needs a person",
    "met": "every record that was looked at holds",
}
_STYLE = (
    ":root{color-scheme:light dark;--line:#8885;--soft:#8881}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.35rem .6rem;"
    "border-bottom:1px solid var(--line);vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "section{border:1px solid var(--line);border-left-width:.4rem;border-radius:.3rem;padding:.4rem 1rem;margin:1rem 0}"
    "section h3{margin:.2rem 0}section p{margin:.3rem 0}.small{opacity:.75;font-size:.85rem}"
    "code{word-break:break-all}b.s{white-space:nowrap}a{color:inherit}"
    ".not_met{border-left-color:#c62828}.unknown{border-left-color:#b26a00}.person,.in_part{border-left-color:#1565c0}"
    ".no_records{border-left-color:#777}.met{border-left-color:#2e7d32}"
    "@media(max-width:40rem){.wide{display:block;overflow-x:auto}}"
)


def page(found: Document) -> str:
    """The page."""
    answers = {one.query: one for one in found.answers}
    title = f"Evidence: {found.title}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _about(found),
        _summary(found.results),
        _unread(found),
        "<h2>Controls</h2>",
        _sources(found.results),
        *(_section(one, answers.get(one.query)) for one in found.results),
        _foot(found),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>\n'


def _about(found: Document) -> str:
    facts = found.facts
    return (
        f"<p>Computed from the records of the instance <code>{escape(found.instance)}</code>, calls and changes from "
        f"{escape(facts.since)} to {escape(facts.at)}. It says what these records show, and no more: whether the "
        "framework is complied with is for people to say.</p>"
    )


def counts(results: Iterable[Result]) -> dict[Standing, int]:
    """How many controls stand how, the most urgent first."""
    every = [one.standing for one in results]
    return {one: every.count(one) for one in STANDINGS}


def _summary(results: Iterable[Result]) -> str:
    rows = "".join(
        f'<tr><td><b class="s">{TOLD[one]}</b></td><td class="n">{count}</td><td>{_MEANS[one]}</td></tr>'
        for one, count in counts(results).items()
    )
    return f"<table><tr><th>standing</th><th>controls</th><th>meaning</th></tr>{rows}</table>"


def _sources(results: Iterable[Result]) -> str:
    told = sorted({(one.control.source, one.control.as_of) for one in results})
    rows = "; ".join(f"<code>{escape(source)}</code>, text of {escape(as_of)}" for source, as_of in told)
    return f'<p class="small">The wording is ours, and narrower than the framework\'s: {rows}.</p>'


def _unread(found: Document) -> str:
    if not found.facts.unread:
        return ""
    rows = "".join(f"<li><code>{escape(one.section)}</code>: {escape(one.why)}</li>" for one in found.facts.unread)
    return f"<h2>Records that could not be read</h2><ul>{rows}</ul>"


def _section(one: Result, answer: Answer | None) -> str:
    control = one.control
    parts = [
        f'<section class="{one.standing}"><h3>{escape(control.reference)}: {escape(control.title)}</h3>',
        f"<p>{escape(control.asks)}</p>",
        f'<p><b class="s">{escape(TOLD[one.standing])}</b>: {escape(one.said)}.</p>',
    ]
    if answer is not None:
        parts.append(_findings(answer))
        sections = ", ".join(f"<code>{escape(each)}</code>" for each in answer.records)
        parts.append(
            f'<p class="small">Query <code>{escape(answer.query)}</code> over {sections}: {escape(answer.asked)} '
            f"{answer.looked_at} records.</p>"
        )
    if control.remains:
        parts.append(f"<p><b>For a person:</b> {escape(control.remains)}</p>")
    return "".join([*parts, "</section>"])


def _findings(answer: Answer) -> str:
    if not answer.findings:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(one.record)}</code></td><td>{escape(one.why)}</td></tr>" for one in answer.findings
    )
    more = f"<p>{answer.more} more are counted, not listed.</p>" if answer.more else ""
    return f'<div class="wide"><table><tr><th>record</th><th>why</th></tr>{rows}</table></div>{more}'


def _foot(found: Document) -> str:
    return (
        f'<p class="small">Made {escape(found.made_at)} by Freehold {escape(found.freehold)}. The facts every result '
        "was computed from stand in <code>evidence.json</code> beside this page. To check the signature and compute "
        "all of it anew: <code>freehold evidence verify FOLDER</code></p>"
    )
