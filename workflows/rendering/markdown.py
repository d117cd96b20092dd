"""The report as CommonMark that any viewer may show: nothing that comes from outside is markup in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from palimpsest.agent.draft import Block
from palimpsest.agent.state import ResearchState
from palimpsest.retrieval.types import Source

from . import text
from .rows import laid_out
from .text import ended, is_established, is_listed, marks, numbers, source_of, title_of, visible

_MARKUP = re.compile(r"([\\`*\[\]<>~|]|(?<![^\W_])_|_(?![^\W_]))")  # within a word a low line marks nothing
_ENTITY = re.compile(r"&(?=#?\w+;)")
_LINK = re.compile(r"(?<=\w)(?=://)|(?<=www)(?=\.)|(?<=\w)(?=@\w)|(?<=javascript)(?=:)|(?<=mailto)(?=:)", re.IGNORECASE)
_LINE_START = re.compile(r"^(\s*)([#+=-]|\d{1,9}(?=[.)]))")


_ENDS_LINE = re.compile(r"[^\S\n]*\n\s*")


def inline(words: str) -> str:
    """Words from outside as text within a line: no markup, entity or live address, no end of a paragraph."""
    return _LINK.sub(r"\\", _ENTITY.sub(r"\\&", _MARKUP.sub(r"\\\1", visible(_ENDS_LINE.sub(" ", words)))))


def escape(words: str) -> str:
    """Words from outside as text that a line may begin with: they begin no block either, "12." no list."""
    plain = inline(words)
    return _LINE_START.sub(lambda m: m[1] + (m[2] + "\\" if m[2].isdigit() else "\\" + m[2]), plain)


def render(state: ResearchState, fields: dict[str, str]) -> str:
    """Front matter of plain strings, and every block in order."""
    return front_matter(fields) + "".join(
        _block(state, b, after) for b, after in _pairs(laid_out(state, state.draft.blocks))
    )


def _pairs(blocks: Sequence[Block]) -> list[tuple[Block, Block | None]]:
    return list(zip(blocks, [*blocks[1:], None], strict=True))


def front_matter(fields: dict[str, str]) -> str:
    """YAML front matter, each value quoted."""
    lines = (f'{key}: "{_quoted(value)}"' for key, value in fields.items())
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _quoted(value: str) -> str:
    return visible(value).replace("\\", "\\\\").replace('"', '\\"')


def _block(state: ResearchState, block: Block, after: Block | None) -> str:
    """One block with the blank lines behind it: entries of a list stand close."""
    listed = block.kind in _LISTED or (block.kind == "quotation" and is_listed(block))
    close = listed and after is not None and after.section == block.section and after.kind not in ("heading", "table")
    return _RENDER[block.kind](state, block) + _by_person(block) + ("\n" if close else "\n\n")


def _by_person(block: Block) -> str:
    """What a person wrote in a block, named behind it."""
    own = text.by_person(block)
    lead = "\n\n" if block.kind == "table" else " "
    return f"{lead}*(a person's words: {'; '.join(f'“{inline(w)}”' for w in own)})*" if own else ""


_LISTED = ("conflict", "open", "revision", "source", "unread")


def _cited(state: ResearchState, block: Block) -> str:
    return "".join(f" [{n}]" for n in numbers(state, block.span("citation"))) if is_established(block) else ""


def _words(block: Block) -> str:
    shown = text.shown(block)
    if not is_established(block):
        return shown
    if not any(s.leads for s in block.words):
        return escape(shown)
    first, *others = block.words
    return "".join([_bold(first, escape), *(_bold(s, inline) for s in others)])


def _bold(span: text.Span, plain: Callable[[str], str]) -> str:
    return f"**{inline(span.text)}**" if span.leads else plain(span.text)


def _heading(state: ResearchState, block: Block) -> str:
    return f"{'#' * block.level} {inline(block.text)}"


def _answer(state: ResearchState, block: Block) -> str:
    standing = block.span("standing")
    how = f" ({inline(standing.text)})" if standing and standing.text and is_established(block) else ""
    shown = text.shown(block)
    return f"**{inline(shown) if is_established(block) else shown}**{_cited(state, block)}{how}"


def _quotation(state: ResearchState, block: Block) -> str:
    lead = "- " if is_listed(block) else "> "
    speaker = text.speaker(state, block)
    whose = f" – {inline(speaker)}" if speaker else ""
    return f"{lead}{_words(block)}{_cited(state, block)}{whose}"


def _statement(state: ResearchState, block: Block) -> str:
    return f"{_words(block)}{_cited(state, block)}"


def _table(state: ResearchState, block: Block) -> str:
    spans = {s.id: s for s in block.spans}
    rows = [[_cell(state, spans[name]) for name in row] for row in block.rows]
    ruled = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in ruled)


def _cell(state: ResearchState, span: text.Span) -> str:
    if span.status in ("open", "unestablished"):
        return text.OPEN if span.status == "open" else "–"
    return inline(span.text) + "".join(f" [{n}]" for n in numbers(state, span))


def _conflict(state: ResearchState, block: Block) -> str:
    kept, other, reason = block.spans
    lines = [_side(state, "- ", kept), _side(state, "  against ", other), f"  {escape(reason.text)}"]
    return "\n".join(lines)


def _side(state: ResearchState, lead: str, span: text.Span) -> str:
    source = state.passage(span.support[0].passage).source
    return f"{lead}{escape(title_of(source))} [{numbers(state, span)[0]}]: “{inline(span.text)}”"


def _open(state: ResearchState, block: Block) -> str:
    return f"- {escape(block.text)}{_cited(state, block)}"


def _revision(state: ResearchState, block: Block) -> str:
    revision = state.revisions[int(block.about) - 1]
    why = text.WHY[revision.reason]
    if revision.evidence:
        source = state.passage(revision.evidence).source
        joint = " by" if revision.reason == "contradicted" else ", read in"
        why += f"{joint} {inline(title_of(source))} [{state.references.index(source.id) + 1}]"
    return f"- {text.changed(revision, lambda words: f'“{inline(words)}”')}: {why}."


def _source(state: ResearchState, block: Block) -> str:
    source = source_of(state, block.about)
    return f"{state.references.index(source.id) + 1}. {_described(source, state.banned)}"


def _described(source: Source, banned: frozenset[str]) -> str:
    authors = f" {inline(', '.join(source.authors))}." if source.authors else ""
    origin = f" ({source.date_from})" if source.date and source.date_from else ""
    noted = "".join(f" – {inline(mark)}" for mark in marks(source, banned))
    return (
        f"{escape(ended(source.title))}{authors} {inline(source.date or 'Undated')}{origin}. "
        f"{_code(source.uri)}{noted} (text SHA-256 {source.sha256[:12]})"
    )


def _code(words: str) -> str:
    """Words as inline code, which shows them as they are and makes no link; the fence is longer than any in them."""
    plain = visible(words)
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


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
