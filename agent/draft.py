"""The draft: a list of typed blocks of spans, each of which can say why it stands there. A revision makes a new draft.

A block holds words only. How it looks (bold, bullets, the sign of an open place) is put on by the renderers and never read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from palimpsest.retrieval.types import Frozen

from .computing import Computation

Status = Literal["fixed", "open", "filled", "pinned", "unestablished"]
Kind = Literal["FIXED", "TEXT", "ENTITY", "NUMBER", "LOGIC", "CITE", "CHOICE", "OUTLINE", "COMPUTED"]
BlockKind = Literal[
    "heading", "answer", "quotation", "statement", "prose", "table", "conflict", "open", "revision", "source", "unread"
]
COPIED: tuple[Kind, ...] = ("TEXT", "ENTITY", "NUMBER")  # words of these places are a source's own


class Support(Frozen):
    """Words of a held passage: `quote` equals the source's text[start:end]; `passage` is the passage's id."""

    passage: str
    quote: str
    start: int
    end: int


class Span(Frozen):
    """The smallest piece that is ever reopened. Copied words carry the support they were copied from.

    `role` says what a span is to its block: its words, the citation after them, or how well they stand. A citation has no words: the
    renderer numbers the sources of its support. `hypothesis` names the claim or answer it belongs to; `depends_on` the spans that
    must be settled before it, so that reopening one of them reopens this one.
    """

    id: str
    text: str
    kind: Kind = "FIXED"
    status: Status = "fixed"
    role: Literal["words", "citation", "standing"] = "words"
    hypothesis: str | None = None
    support: tuple[Support, ...] = ()
    confidence: float | None = None
    depends_on: tuple[str, ...] = ()
    leads: bool = False  # a name that leads from one sentence of a chain to the next
    person: bool = False  # a person's own words, which no source is asked for

    @property
    def may_change(self) -> bool:
        """Whether a person may open, pin or edit it: an answer, words of a claim, a section's heading; not what follows from them."""
        return self.kind not in ("FIXED", "CITE", "COMPUTED")

    @property
    def is_place(self) -> bool:
        """Whether it is a typed place of a sentence that holds words: a name or a figure."""
        return self.kind in ("ENTITY", "NUMBER") and self.status in ("filled", "pinned")


def copied_words(pieces: Sequence[str]) -> str:
    """What words copied from a place say; of pairs of places each value behind what names it there."""
    if len(pieces) == 1:
        return pieces[0]
    return "; ".join(f"{name}: {value}" for name, value in zip(pieces[::2], pieces[1::2], strict=True))


class Block(Frozen):
    """A paragraph, list entry or table of the report.

    `level` counts headings from 1; `about` is the id of what it shows: a sub-question, hypothesis, conflict, revision or source; the
    rows of a table name the spans of their cells in `rows`, the first row its columns.
    """

    id: str
    kind: BlockKind
    section: str
    spans: tuple[Span, ...] = ()
    level: int = 0
    about: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    computation: Computation | None = None  # of a statement that says what was computed over rows

    @property
    def words(self) -> tuple[Span, ...]:
        """The spans that are its sentence, without citation and standing."""
        return tuple(s for s in self.spans if s.role == "words")

    @property
    def text(self) -> str:
        return "".join(s.text for s in self.words)

    def span(self, role: str) -> Span | None:
        """Its citation or standing; None when it has none."""
        return next((s for s in self.spans if s.role == role), None)


class Draft(Frozen):
    """Blocks in reading order. Block and span ids are unique in the whole draft."""

    blocks: tuple[Block, ...] = ()

    def spans(self) -> Iterator[Span]:
        return (span for block in self.blocks for span in block.spans)

    def span(self, span_id: str) -> Span:
        """The span of this id; KeyError with the id when there is none."""
        for span in self.spans():
            if span.id == span_id:
                return span
        raise KeyError(span_id)

    def block(self, block_id: str) -> Block | None:
        return next((b for b in self.blocks if b.id == block_id), None)

    def block_of(self, span_id: str) -> Block:
        """The block in which a span stands; KeyError with the id when there is none."""
        for block in self.blocks:
            if any(s.id == span_id for s in block.spans):
                return block
        raise KeyError(span_id)

    def section(self, section_id: str) -> list[Block]:
        return [b for b in self.blocks if b.section == section_id]

    def about(self, thing: str, *kinds: BlockKind) -> list[Block]:
        """The blocks that show one hypothesis, sub-question, conflict, revision or source, of these kinds."""
        return [b for b in self.blocks if b.about == thing and b.kind in kinds]

    def replace(self, changed: Iterable[Span]) -> Draft:
        """A draft in which the spans of these ids are these; every other span is the same object. Pinned spans stay.

        What other words take the place of is no longer a person's.
        """
        by_id = {span.id: span for span in changed}

        def kept(span: Span) -> Span:
            new = span if span.status == "pinned" else by_id.get(span.id, span)
            return new.model_copy(update={"person": False}) if new.person and new.text != span.text else new

        def same(block: Block) -> Block:
            spans = tuple(map(kept, block.spans))
            return block if spans == block.spans else block.model_copy(update={"spans": spans})

        return Draft(blocks=tuple(map(same, self.blocks)))

    def mark(self, span_id: str, status: Status) -> Draft:
        """A draft in which a span has this status, pinned or not: a person may open what a person pinned or wrote."""
        block = self.block_of(span_id)
        now: dict[str, object] = {"status": status, **({"person": False} if status == "open" else {})}
        spans = tuple(s.model_copy(update=now) if s.id == span_id else s for s in block.spans)
        return self.swap([block.id], [block.model_copy(update={"spans": spans})])

    def append(self, block: Block, order: tuple[str, ...] = ()) -> Draft:
        """A draft with a block at the end of its section; a new section takes its place in `order` (section ids)."""
        rank = {name: n for n, name in enumerate(order)}
        here = [n for n, b in enumerate(self.blocks) if b.section == block.section]
        place = (
            here[-1] + 1
            if here
            else sum(rank.get(b.section, -1) <= rank.get(block.section, len(rank)) for b in self.blocks)
        )
        return Draft(blocks=(*self.blocks[:place], block, *self.blocks[place:]))

    def swap(self, block_ids: Iterable[str], blocks: Iterable[Block]) -> Draft:
        """A draft in which the blocks of these ids are gone and `blocks` stand where the first of them stood."""
        gone, added = set(block_ids), tuple(blocks)
        kept: list[Block] = []
        for block in self.blocks:
            if block.id not in gone:
                kept.append(block)
            elif added:
                kept.extend(added)
                added = ()
        return Draft(blocks=tuple(kept))


def moved(old: Draft, new: Draft, reopened: Iterable[str]) -> list[str]:
    """The ids of spans and blocks that broke locality: not reopened, yet gone, reordered or different. Empty when it holds.

    New blocks may be inserted anywhere; that is how a conflict or a source joins the report.
    """
    free = set(reopened)
    after = {piece.id: (place, shown) for place, (piece, shown) in enumerate(_pieces(new))}
    broken, last = [], -1
    for piece, shown in _pieces(old):
        place, now = after.get(piece.id, (-1, None))
        if (piece.id not in free and shown != now) or (place >= 0 and place < last):
            broken.append(piece.id)
        last = max(last, place)
    return broken


def _pieces(draft: Draft) -> Iterator[tuple[Block | Span, object]]:
    """Every block and span, each with what the renderers show of it; a block that holds spans is shown by them."""
    for block in draft.blocks:
        if not block.spans:
            yield block, (block.kind, block.about)
        for span in block.spans:
            yield span, (span.text, span.status == "open", span.support if span.role == "citation" else ())
