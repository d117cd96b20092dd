"""The report as a PDF, set by Typst with the fonts that it brings. Words from outside are string values there, never markup."""

from __future__ import annotations

from palimpsest.agent.draft import Block, Span
from palimpsest.agent.state import ResearchState

from . import text
from .rows import laid_out
from .text import is_established, is_listed, marks, numbers, source_of, title_of, visible

_HEAD = """#set page(paper: "a4", margin: (x: 2.6cm, y: 2.4cm), numbering: "1")
#set text(size: 10.5pt, fallback: true)
#set par(leading: 0.72em, justify: false)
#show heading: set block(above: 1.5em, below: 0.8em)
#show link: set text(fill: rgb("#1f5f5b"))
#let soft(words) = text(fill: luma(35%), size: 0.88em, words)
#let quoted(words) = block(inset: (left: 1em), stroke: (left: 1.5pt + luma(80%)), words)
"""


def render(state: ResearchState, log: str) -> bytes:
    """A document of A4 pages; `log` is the head of the run's log."""
    import typst

    document = f"#set document(title: {quote(state.question)}, keywords: ({quote('palimpsest-log ' + log)},))\n"
    parts = [_RENDER[block.kind](state, block) for block in laid_out(state, state.draft.blocks)]
    made = typst.compile((_HEAD + document + "\n\n".join(parts) + "\n").encode(), format="pdf")
    assert isinstance(made, bytes), "one format gives one document"
    return made


def quote(words: str) -> str:
    """Words as a string value of Typst, whose escapes are those of JSON but for \\u."""
    plain = visible(words)
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in plain) + '"'


_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def said(words: str) -> str:
    """Words as content of a line."""
    return f"#{quote(words)}"


def _cited(state: ResearchState, span: Span | None) -> str:
    return "".join(f" #super[#{quote(str(n))}]" for n in numbers(state, span))


def _words(block: Block) -> str:
    shown = text.shown(block)
    words = said(shown) if is_established(block) else f"#emph[{said(shown)}]"
    if is_established(block) and any(s.leads for s in block.words):
        words = "".join(f"#strong[{said(s.text)}]" if s.leads else said(s.text) for s in block.words)
    return words + " #soft[(a person's words)]" * bool(text.by_person(block))


def _heading(state: ResearchState, block: Block) -> str:
    return f"#heading(level: {block.level})[{_words(block)}]"


def _answer(state: ResearchState, block: Block) -> str:
    standing = block.span("standing")
    shown = is_established(block)
    how = f" #soft[{said(f'({standing.text})')}]" if shown and standing and standing.text else ""
    return f"#strong[{_words(block)}]{_cited(state, block.span('citation')) if shown else ''}{how}"


def _quotation(state: ResearchState, block: Block) -> str:
    cited = _cited(state, block.span("citation")) if is_established(block) else ""
    name = "list.item" if is_listed(block) else "quoted"
    speaker = text.speaker(state, block)
    whose = f" #soft[{said(f'– {speaker}')}]" if speaker else ""
    return f"#{name}[{_words(block)}{cited}{whose}]"


def _statement(state: ResearchState, block: Block) -> str:
    return _words(block) + _cited(state, block.span("citation"))


def _table(state: ResearchState, block: Block) -> str:
    spans = {s.id: s for s in block.spans}
    cells = ", ".join(f"[{_cell(state, spans[name])}]" for row in block.rows for name in row)
    return f"#table(columns: {len(block.rows[0])}, stroke: 0.5pt + luma(80%), {cells})"


def _cell(state: ResearchState, span: Span) -> str:
    if span.status in ("open", "unestablished"):
        return said(text.OPEN if span.status == "open" else "–")
    return said(span.text) + " #soft[(a person's words)]" * span.person + _cited(state, span)


def _conflict(state: ResearchState, block: Block) -> str:
    kept, other, reason = block.spans
    return f"#list.item[{_side(state, kept)} \\ against {_side(state, other)} \\ {said(reason.text)}]"


def _side(state: ResearchState, span: Span) -> str:
    source = state.passage(span.support[0].passage).source
    return f"{said(title_of(source))}{_cited(state, span)}: {said(f'“{span.text}”')}"


def _open(state: ResearchState, block: Block) -> str:
    return f"#list.item[{said(block.text)}{_cited(state, block.span('citation'))}]"


def _revision(state: ResearchState, block: Block) -> str:
    revision = state.revisions[int(block.about) - 1]
    why = text.WHY[revision.reason]
    if revision.evidence:
        why += f": {title_of(state.passage(revision.evidence).source)}"
    changed = text.changed(revision, lambda words: f"“{words}”")
    return f"#list.item[{said(changed)} #soft[{said(why)}]]"


def _source(state: ResearchState, block: Block) -> str:
    source = source_of(state, block.about)
    number = state.references.index(source.id) + 1
    noted = marks(source, state.banned)
    dated = f"{source.date} ({source.date_from})" if source.date and source.date_from else source.date or "Undated"
    parts = [f"[{number}] {source.title}", ", ".join(source.authors), dated, source.uri, *noted]
    line = ". ".join(part.rstrip(".") for part in parts if part)
    return f"#block[{said(line)} #soft[{said(f'(text SHA-256 {source.sha256[:12]})')}]]"


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
