"""The draft: an ordered sheet of spans, each of which can say why it stands there. A revision makes a new draft."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from palimpsest.retrieval.types import Frozen

Status = Literal["fixed", "open", "filled", "pinned", "unestablished"]
Kind = Literal["FIXED", "TEXT", "ENTITY", "NUMBER", "LOGIC", "CITE", "CHOICE", "OUTLINE"]


class Support(Frozen):
    """Words of a held passage: `quote` equals the source's text[start:end]; `passage` is the passage's id."""

    passage: str
    quote: str
    start: int
    end: int


class Span(Frozen):
    """The smallest piece that is ever reopened. Copied words carry the support they were copied from.

    `hypothesis` names the claim or answer it belongs to; `depends_on` the spans that must be settled before it, so that reopening
    one of them reopens this one.
    """

    id: str
    text: str
    kind: Kind = "FIXED"
    status: Status = "fixed"
    hypothesis: str | None = None
    support: tuple[Support, ...] = ()
    confidence: float | None = None
    depends_on: tuple[str, ...] = ()

    @property
    def may_change(self) -> bool:
        """Whether a person may open or pin it: an answer or words of a claim, not a heading or what follows from the words."""
        return self.kind not in ("FIXED", "CITE")


class Section(Frozen):
    id: str
    spans: tuple[Span, ...] = ()


class Draft(Frozen):
    """Sections in reading order. Span ids are unique in the whole draft; the text is the spans' texts end to end."""

    sections: tuple[Section, ...] = ()

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans())

    def spans(self) -> Iterator[Span]:
        return (span for section in self.sections for span in section.spans)

    def span(self, span_id: str) -> Span:
        """The span of this id; KeyError with the id when there is none."""
        for span in self.spans():
            if span.id == span_id:
                return span
        raise KeyError(span_id)

    def section(self, section_id: str) -> Section | None:
        return next((s for s in self.sections if s.id == section_id), None)

    def of(self, hypothesis: str) -> list[Span]:
        """The spans of one claim or answer, in order."""
        return [span for span in self.spans() if span.hypothesis == hypothesis]

    def replace(self, changed: Iterable[Span]) -> Draft:
        """A draft in which the spans of these ids are these; every other span is the same object. Pinned spans stay."""
        by_id = {span.id: span for span in changed}

        def kept(span: Span) -> Span:
            return span if span.status == "pinned" else by_id.get(span.id, span)

        return Draft(sections=tuple(Section(id=s.id, spans=tuple(map(kept, s.spans))) for s in self.sections))

    def append(self, section_id: str, spans: Iterable[Span], order: tuple[str, ...] = ()) -> Draft:
        """A draft with `spans` at the end of a section; a new section takes its place in `order` (section ids)."""
        added = tuple(spans)
        if not added:
            return self
        sections = list(self.sections)
        for number, section in enumerate(sections):
            if section.id == section_id:
                sections[number] = Section(id=section_id, spans=section.spans + added)
                return Draft(sections=tuple(sections))
        rank = {name: n for n, name in enumerate(order)}
        place = sum(rank.get(s.id, -1) <= rank.get(section_id, len(rank)) for s in sections)
        sections.insert(place, Section(id=section_id, spans=added))
        return Draft(sections=tuple(sections))

    def swap(self, span_ids: Iterable[str], spans: Iterable[Span]) -> Draft:
        """A draft in which the spans of these ids are gone and `spans` stand where the first of them stood."""
        gone, added = set(span_ids), tuple(spans)
        sections = []
        for section in self.sections:
            kept: list[Span] = []
            for span in section.spans:
                if span.id not in gone:
                    kept.append(span)
                elif added:
                    kept.extend(added)
                    added = ()
            sections.append(Section(id=section.id, spans=tuple(kept)))
        return Draft(sections=tuple(sections))

    def dependents(self, span_ids: Iterable[str]) -> list[str]:
        """The ids that follow from reopening `span_ids`, without themselves: DEPENDS_ON to its end, in reading order."""
        reached, grown = set(span_ids), True
        start = set(reached)
        while grown:
            more = {s.id for s in self.spans() if s.id not in reached and reached & set(s.depends_on)}
            reached |= more
            grown = bool(more)
        return [s.id for s in self.spans() if s.id in reached - start]


def moved(old: Draft, new: Draft, reopened: Iterable[str]) -> list[str]:
    """The ids of spans that broke locality: not reopened, yet gone, reordered or of another text. Empty when it holds.

    New spans may be inserted anywhere; that is how a conflict or a source joins the report.
    """
    free = set(reopened)
    after = {span.id: (place, span.text) for place, span in enumerate(new.spans())}
    broken, last = [], -1
    for span in old.spans():
        place, text = after.get(span.id, (-1, None))
        if (span.id not in free and text != span.text) or (place >= 0 and place < last):
            broken.append(span.id)
        last = max(last, place)
    return broken
