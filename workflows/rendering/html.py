"""The report as a page on its own: no script, no request, every word from outside as text."""

from __future__ import annotations

import html
import re

from palimpsest.agent.draft import Block, Span
from palimpsest.agent.state import ResearchState
from palimpsest.retrieval.types import Source

from . import text
from .rows import laid_out
from .text import ended, is_established, is_listed, marks, numbers, source_of, title_of, visible

_STYLE = (
    "body{font:17px/1.55 Georgia,serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
    "blockquote{border-left:3px solid #bbb;margin-left:0;padding-left:1rem;color:#333}"
    "h1,h2,h3{font-family:system-ui,sans-serif;line-height:1.25}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}"
    "h3{font-size:1rem}code{font-size:.85em;color:#444;overflow-wrap:anywhere}li{margin:.35rem 0}.cite{font-size:.8em}"
    ".standing{color:#555;font-size:.9em}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left}"
    "@media(prefers-color-scheme:dark){body{background:#171717;color:#e4e4e4}blockquote{color:#ccc}code,.standing{color:#aaa}a{color:#8ab4f8}}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LISTED = {"conflict": "ul", "open": "ul", "unread": "ul", "revision": "ul", "source": "ol"}


def escape(words: str) -> str:
    """Words from outside as text, in an element or in a quoted attribute."""
    return html.escape(visible(words), quote=True)


def render(state: ResearchState, log: str) -> str:
    """A whole page; `log` is the head of the run's log."""
    parts, listed = [], ""
    for block in laid_out(state, state.draft.blocks):
        kind = "ul" if block.kind == "quotation" and is_listed(block) else _LISTED.get(block.kind, "")
        if kind != listed:
            parts += [f"</{listed}>"] * bool(listed) + [f"<{kind}>"] * bool(kind)
            listed = kind
        parts.append(_RENDER[block.kind](state, block))
    body = "\n".join(parts + [f"</{listed}>"] * bool(listed))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f'<meta name="palimpsest-log" content="{escape(log)}">'
        f"<title>{escape(state.question)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _element(name: str, block: Block, content: str) -> str:
    return f'<{name} data-block="{block.kind}" id="{escape(block.id)}">{content}</{name}>'


def _words(block: Block) -> str:
    if not is_established(block):
        return f"<em>{text.shown(block)}</em>"
    return "".join(_span(s) for s in block.words)


def _span(span: Span) -> str:
    mask = f' data-mask="{span.kind}"' if span.status == "open" else ""
    words = text.OPEN if span.status == "open" else escape(span.text)
    own = ' <span class="standing">(a person\'s words)</span>' if span.person else ""
    words = f"<strong>{words}</strong>" if span.leads else words
    return f'<span data-span="{escape(span.id)}"{mask}>{words}</span>{own}'


def _cited(state: ResearchState, span: Span | None) -> str:
    return "".join(f' <a class="cite" href="#source.{n}">[{n}]</a>' for n in numbers(state, span))


def _heading(state: ResearchState, block: Block) -> str:
    words = _words(block) if text.by_person(block) else escape(block.text)
    return _element(f"h{block.level}", block, words)


def _answer(state: ResearchState, block: Block) -> str:
    standing = block.span("standing")
    established = is_established(block)
    how = (
        f' <span class="standing">({escape(standing.text)})</span>'
        if established and standing and standing.text
        else ""
    )
    cited = _cited(state, block.span("citation")) if established else ""
    return _element("p", block, f"<strong>{_words(block)}</strong>{cited}{how}")


def _quotation(state: ResearchState, block: Block) -> str:
    cited = _cited(state, block.span("citation")) if is_established(block) else ""
    speaker = text.speaker(state, block)
    whose = f' <span class="standing">– {escape(speaker)}</span>' if speaker else ""
    return _element("li" if is_listed(block) else "blockquote", block, f"<q>{_words(block)}</q>{cited}{whose}")


def _statement(state: ResearchState, block: Block) -> str:
    return _element("p", block, _words(block) + _cited(state, block.span("citation")))


def _table(state: ResearchState, block: Block) -> str:
    spans = {s.id: s for s in block.spans}
    rows = ["".join(_cell(state, spans[n], "th" if not r else "td") for n in row) for r, row in enumerate(block.rows)]
    return _element("table", block, "".join(f"<tr>{row}</tr>" for row in rows))


def _cell(state: ResearchState, span: Span, name: str) -> str:
    words = "–" if span.status == "unestablished" else _span(span) + _cited(state, span)
    return f"<{name}>{words}</{name}>"


def _conflict(state: ResearchState, block: Block) -> str:
    kept, other, reason = block.spans
    sides = f"{_side(state, kept)}<br>against {_side(state, other)}"
    return _element("li", block, f"{sides}<br>{escape(reason.text)}")


def _side(state: ResearchState, span: Span) -> str:
    source = state.passage(span.support[0].passage).source
    return f"{escape(title_of(source))}{_cited(state, span)}: <q>{_span(span)}</q>"


def _open(state: ResearchState, block: Block) -> str:
    return _element("li", block, escape(block.text) + _cited(state, block.span("citation")))


def _revision(state: ResearchState, block: Block) -> str:
    revision = state.revisions[int(block.about) - 1]
    why = text.WHY[revision.reason]
    if revision.evidence:
        source = state.passage(revision.evidence).source
        number = state.references.index(source.id) + 1
        joint = " by" if revision.reason == "contradicted" else ", read in"
        why += f'{joint} {escape(title_of(source))} <a class="cite" href="#source.{number}">[{number}]</a>'
    changed = text.changed(revision, lambda words: f"<q>{escape(words)}</q>")
    return _element("li", block, f"{changed}: {why}.")


def _source(state: ResearchState, block: Block) -> str:
    source = source_of(state, block.about)
    authors = f" {escape(', '.join(source.authors))}." if source.authors else ""
    origin = f" ({source.date_from})" if source.date and source.date_from else ""
    described = f"{escape(ended(source.title))}{authors} {escape(source.date or 'Undated')}{origin}. {_address(source)}"
    noted = "".join(f" – {escape(mark)}" for mark in marks(source, state.banned))
    return _element("li", block, f"{described}{noted} (text SHA-256 {source.sha256[:12]})")


def _address(source: Source) -> str:
    """A link where the address is one of the web, else its letters."""
    shown = f"<code>{escape(source.uri)}</code>"
    if re.fullmatch(r"https?://[^\s\"'<>]+", source.uri):
        return f'<a href="{escape(source.uri)}" rel="noopener nofollow noreferrer">{shown}</a>'
    return shown


_RENDER = {
    "heading": _heading,
    "answer": _answer,
    "quotation": _quotation,
    "statement": _statement,
    "prose": _statement,
    "table": _table,
    "conflict": _conflict,
    "open": _open,
    "unread": _open,
    "revision": _revision,
    "source": _source,
}
