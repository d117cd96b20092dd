"""An open report: sentences chosen over all evidence, an outline of them, and sections that ask for what they lack.

The draft evolves: what a later search brings joins the section it is nearest to; a quotation that, beside what was found since, no
longer belongs in the report is reopened as unsure and gives way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import regex  # type: ignore[import-untyped]

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Hit

from . import balance, blocks, describing, forms, outline, polar
from .asking import asks_for_change
from .choosing import choice, found, topics
from .comparing import compared
from .dependents import quoted_place, rested_on, standing_without, withdraw
from .draft import Block, Span, Support
from .drafting import ask, replace_quotation, revised
from .frames import Slot, Token
from .in_short import IN_SHORT, best_short, is_side
from .quoting import (
    NO_LONGER,
    beside_cells,
    centres_of,
    is_free,
    merge,
    not_standing,
    overlaps,
    put_quotation,
    quotations,
)
from .sentences import Chosen, place_of
from .state import Event, Query, Reader, ResearchState, Revision, Side, Steps, SubQuestion, Tools
from .tabling import hold
from .whole import part_of, remaining
from .wording import defines

YEAR, UNDATED = regex.compile(r"(?<![\d.,])(?:1[5-9]|20)\d\d(?![\d.,]?\d)"), "9999"


def write(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """Choose the sentences of the report from what is held now; the first time an outline is made of them, later they join it."""
    reader = tools.reader
    hits = found(state, question)
    if reader is None or not hits:
        return state
    if tools.watch:
        tools.watch.note(f"weighing the sentences of {len(hits)} passages")
        tools.watch.slots(
            Slot(
                span="outline",
                block="question.heading",
                kind="OUTLINE",
                reason="outline",
                tokens=(Token(text="", open=True),),
            )
        )
    chosen = choice(reader, question, hits, state.budget.characters)
    decisive = balance.decisive(tools, question, [h.passage for h in hits])
    lead = balance.ahead(decisive, chosen)
    chosen = [*lead, *remaining(chosen, [place_of(c) for c in lead])]
    if not chosen:
        return state
    if not quotations(state):
        said = balance.verdict(tools, question, chosen, decisive)
        return (yield from _begin(state, tools, reader, question, hits, chosen, lead, said))
    return (yield from _grow(state, tools, question, hits, chosen, lead))


def _begin(
    state: ResearchState,
    tools: Tools,
    reader: Reader,
    question: SubQuestion,
    hits: Sequence[Hit],
    chosen: Sequence[Chosen],
    lead: Sequence[Chosen],
    said: polar.Answer,
) -> Steps:
    """The outline first, then its sections, then *In short*: what was `said` of a balance, the quotations that lead, and the best of
    what no section needs. A comparison has its table ahead: of the rows of a table of a source where one has all that is compared.
    """
    chosen = beside_cells(state, question, not_standing(state, chosen))
    if question.form == "comparison":
        state = _compared(state, tools, reader, question, hits, chosen)
        chosen = beside_cells(state, question, chosen)
    lead = [c for c in lead if c in chosen] or _defining(question, chosen)
    chosen = remaining(chosen, [place_of(c) for c in lead])
    read = [hit.passage for hit in hits]
    sides = reader.sides(question.text, chosen) if question.form == "balance" else []
    parts = _parted(reader, question, chosen, sides)
    in_order = _as_dated if asks_for_change(question.text) else _as_told
    short = [*lead, *in_order(best_short(reader, question, parts, read)[: max(IN_SHORT - len(lead), 0)])]
    parts = _without(parts, short)  # a heading is of what stands under it
    parts = outline.headed(parts, question.text, reader.vectors, reader.wholeness)
    if said.text:
        state, block = balance.stated(state, "verdict", blocks.SHORT, said)
        state = blocks.put(state, [block])
    slots = [_heading(f"section.{number}", part) for number, part in enumerate(parts, 1)]
    for number, slot in enumerate(slots, 1):
        mask = slot.model_copy(update={"text": "", "status": "open", "support": ()})
        state = blocks.put(state, [blocks.outline(f"section.{number}", mask)])
    yield state
    for number, (slot, part) in enumerate(zip(slots, parts, strict=True), 1):
        section = f"section.{number}"
        state = state.model_copy(update={"draft": state.draft.replace([slot])})
        yield Event(
            step="revise", kind="wrote", text=f"outline: {slot.text}", data={"span": slot.id, "text": slot.text}
        )
        yield state
        if len(part.chosen) < outline.PER_SECTION:  # the heading asks for what its section lacks
            words = f"{slot.text}: {question.text}"
            state = ask(state, [Query(text=words, question=question.id, reason="outline", slots=(slot.id,))])
        for piece in in_order(part.chosen):
            state = yield from put_quotation(state, question, section, piece)
            yield state
    for piece in short:
        state = yield from put_quotation(state, question, blocks.SHORT, piece)
        yield state
    return state


def _compared(
    state: ResearchState,
    tools: Tools,
    reader: Reader,
    question: SubQuestion,
    hits: Sequence[Hit],
    chosen: Sequence[Chosen],
) -> ResearchState:
    """The table of a comparison; what its cells quote is held."""
    records = tools.records
    rows: dict[tuple[str, str], forms.Cell] = {}
    if records:
        tables = records.tables([h.passage for h in hits])
        rows = compared(question.text, question.things, question.attributes, tables, records.column)
    columns = question.attributes or tuple(dict.fromkeys(column for _, column in rows))
    state, used = forms.table(state, reader, question, columns, hits, chosen, rows)
    return hold(state, question, question.text, [c.sentences[0].passage for c in used])


def _without(parts: Sequence[outline.Section], short: Sequence[Chosen]) -> list[outline.Section]:
    """The sections without what stands in short."""
    left = [(part, remaining(part.chosen, [place_of(c) for c in short])) for part in parts]
    return [replace(part, chosen=tuple(rest)) for part, rest in left if rest]


def _as_told(chosen: Sequence[Chosen]) -> list[Chosen]:
    """What one source says stands together and in its own order, the source of the best statement first."""
    sources = [place_of(c)[0] for c in chosen]
    rank = {source: n for n, source in reversed(list(enumerate(sources)))}
    return sorted(chosen, key=lambda c: (rank[place_of(c)[0]], c.start))


def _as_dated(chosen: Sequence[Chosen]) -> list[Chosen]:
    """By the first year that each tells of, or its source's; what has none comes last."""

    def year(piece: Chosen) -> str:
        told = YEAR.search(piece.text)
        return told.group() if told else (piece.sentences[0].passage.source.date or UNDATED)[:4]

    return sorted(_as_told(chosen), key=year)


def _defining(question: SubQuestion, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Of a question about one thing the sentence that says what it is, where one was chosen: a reader wants it first."""
    names = {question.text[s:e] for s, e, kind in typed_spans(question.text) if kind is MaskKind.ENTITY}
    if len(names) != 1:
        return []
    name = names.pop()
    found = ((c, s) for c in chosen for s in c.sentences if defines(s.text, name))
    return [part_of(piece, [sentence]) for piece, sentence in found][:1]


def _parted(
    reader: Reader, question: SubQuestion, chosen: Sequence[Chosen], sides: Sequence[Side]
) -> list[outline.Section]:
    """Sections of like meaning, most without a heading yet; first those of what the question asks about side by side, or of a balance
    what speaks for and what against.
    """
    if not chosen:
        return []
    vectors = outline.as_one_table(chosen, reader.vectors([c.text for c in chosen]))
    groups = [tuple(n for n, held in enumerate(sides) if held == side) for side in forms.SIDES]
    fixed = [
        outline.Group(group, heading)
        for heading, group in zip(forms.SIDES.values(), groups, strict=True)
        if len(group) >= outline.PER_SECTION
    ]
    named = list(topics(question, [describing.titled(s) for c in chosen for s in c.sentences]))
    fixed = fixed or outline.by_topic(chosen, vectors, named, reader.vectors, question.form == "comparison")
    return outline.parted(chosen, outline.placed(chosen, vectors, reader.vectors), fixed)


def _heading(section: str, part: outline.Section) -> Span:
    """An OUTLINE slot filled with words of the section's own sentences, or with the title of the best of their sources."""
    name = f"{section}.title"
    for chosen in () if is_side(part) else part.chosen:
        for sentence in chosen.sentences:
            at = outline.place_in(sentence.text, part.heading)
            if at >= 0:
                quoted = sentence.text[at : at + len(part.heading)]
                start = sentence.start + at
                support = Support(passage=sentence.passage.id, quote=quoted, start=start, end=start + len(quoted))
                return Span(id=name, text=part.heading, kind="OUTLINE", status="filled", support=(support,))
    title = part.heading or part.chosen[0].sentences[0].passage.source.title
    return Span(id=name, text=title, kind="OUTLINE", status="filled")


def _grow(
    state: ResearchState,
    tools: Tools,
    question: SubQuestion,
    hits: Sequence[Hit],
    chosen: Sequence[Chosen],
    lead: Sequence[Chosen],
) -> Steps:
    """What is chosen now and does not stand yet joins the section it is nearest to; what is no longer chosen gives way to it."""
    reader = tools.reader
    assert reader is not None, "only a reader chooses"
    wanted = list(chosen)
    if question.form == "comparison":
        before = state
        state, filled = forms.fill(state, reader, question, hits, lambda piece: is_free(before, piece))
        for span in filled:
            yield Event(step="revise", kind="wrote", text=span.text, data={"span": span.id, "text": span.text})
    fresh = beside_cells(state, question, not_standing(state, wanted))
    fresh = standing_without(state, fresh)  # what lost does not come back
    stale = [b for b in quotations(state) if not any(overlaps(c, quoted_place(b)) for c in wanted)]
    stale = [b for b in stale if not rested_on(state) & {s.id for s in b.spans}]
    stale = [b for b in stale if not any(s.status == "pinned" for s in b.spans)] if "unsure" in tools.reopens else []
    vectors = reader.vectors([c.text for c in fresh]) if fresh else np.zeros((0, 0), dtype=np.float32)
    centres = centres_of(state, reader)
    for row, piece in enumerate(fresh):
        leads = any(overlaps(piece, place_of(c)) for c in lead)  # what decides stands ahead, whenever it was found
        section = blocks.SHORT if leads or not centres else max(centres, key=lambda s: float(centres[s] @ vectors[row]))
        leaving = next((b for b in stale if b.section == section), None)
        if leaving is not None:
            stale.remove(leaving)
            state = yield from _give_way(state, leaving, piece)
        else:
            state = yield from put_quotation(state, question, section, piece)
    for block in stale:
        if sum(b.section == block.section for b in quotations(state)) > outline.PER_SECTION:
            state = yield from withdraw(state, block, "unsure", NO_LONGER, "revise")
    return state


def _give_way(state: ResearchState, block: Block, chosen: Chosen) -> Steps:
    """A quotation that what was found since has made unsure is reopened, and another sentence settles in its place."""
    passage = chosen.sentences[0].passage
    yield Event(
        step="revise",
        kind="reopened",
        text=f"reopened “{block.text}”: unsure beside what was found since",
        data={"spans": [s.id for s in block.spans], "evidence": passage.id, "reason": "unsure"},
    )
    state = replace_quotation(state, block, passage, chosen.start, chosen.end)
    after = state.draft.block(block.id)
    assert after is not None, "a replaced quotation stays in its place"
    revision = Revision(
        version=state.version,
        span=block.spans[0].id,
        reopened=tuple(s.id for s in block.spans),
        old=block.text,
        new=after.text,
        reason="unsure",
        evidence=passage.id,
        steps=1,
    )
    yield revised(revision, "revise")
    return merge(state.model_copy(update={"revisions": (*state.revisions, revision)}), after, chosen.also)


def without(state: ResearchState, question: SubQuestion) -> ResearchState:
    """The report without a tentative question that got no answer: its sections answer the whole."""
    section = f"answer.{question.id}"
    others = [q for q in state.questions if q.id != question.id]
    gone = {b.id for b in state.draft.section(section)}
    heading = {"answer.heading"}  # above all answers, in the section of the first: it goes with the last
    gone = gone - heading if any(not q.is_open for q in others) else gone | heading
    return state.model_copy(update={"questions": tuple(others), "draft": state.draft.swap(gone, [])})
