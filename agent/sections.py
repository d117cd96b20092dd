"""An open report: sentences chosen over all evidence, an outline of them, sections that ask for what they lack, and what is missing.

The draft evolves: what a later search brings joins the section it is nearest to; a quotation that, beside what was found since, no
longer belongs in the report is reopened as unsure and gives way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from itertools import pairwise

import numpy as np
import regex  # type: ignore[import-untyped]

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Hit, Passage

from . import balance, blocks, describing, forms, outline, polar, thresholds
from .asking import asks_for_change
from .choosing import choice, comes_near, found, topics
from .dependents import fall, quoted_place, rested_on, standing_without, where, withdraw
from .draft import Block, Span, Support
from .drafting import ask, quote, refer, replace_quotation, revised, sentence_parts
from .frames import Slot, Token
from .lookups import compared
from .numbers import probability
from .outline import Vectors
from .selection import Chosen, Sentence, Where, leans, part_of, place_of, remaining, shares_words, told_once
from .state import Event, Query, Reader, Reason, ResearchState, Revision, Side, Steps, SubQuestion, Tools
from .wording import defines, takes_up

Events = Steps
Pieces = Callable[[Sequence[Chosen]], list[Chosen]]  # the quotations of a section to what of them may stand in short
IN_SHORT, FEW = 4, 2  # statements ahead of the sections, and how many of them may be of one section
NOTHING_SAID = ("?", ",", ";", ":")  # how a question ends, and a piece of a list
YEAR, UNDATED = regex.compile(r"(?<![\d.,])(?:1[5-9]|20)\d\d(?![\d.,]?\d)"), "9999"
NO_LONGER = "unsure beside what was found since, and nothing takes its place"
LEAST_SECTION = 2  # statements under a heading: one thin line is no section


def write(state: ResearchState, tools: Tools, question: SubQuestion) -> Events:
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
        tables = tools.records.tables([h.passage for h in hits]) if tools.records else []
        return (yield from _begin(state, reader, question, hits, chosen, lead, said, tables))
    return (yield from _grow(state, tools, question, hits, chosen, lead))


def quotations(state: ResearchState) -> list[Block]:
    return [b for b in state.draft.blocks if b.kind == "quotation" and _is_open(b.section)]


def _is_open(section: str) -> bool:
    return section == blocks.SHORT or section in blocks.SECTIONS


def _begin(
    state: ResearchState,
    reader: Reader,
    question: SubQuestion,
    hits: Sequence[Hit],
    chosen: Sequence[Chosen],
    lead: Sequence[Chosen],
    said: polar.Answer,
    tables: Sequence[Table],
) -> Events:
    """The outline first, then its sections, then *In short*: what was `said` of a balance, the quotations that lead, and the best of
    what no section needs. A comparison has its table ahead: of the rows of a table of a source where one has all that is compared.
    """
    chosen = remaining(_not_standing(state, chosen), [where(s.support[0]) for s in cells(state)])
    if question.form == "comparison":
        state, used = _compared(state, reader, question, hits, chosen, tables)
        chosen = remaining(chosen, [place_of(c) for c in used])
    lead = [c for c in lead if c in chosen] or _defining(question, chosen)
    chosen = remaining(chosen, [place_of(c) for c in lead])
    read = [hit.passage for hit in hits]
    sides = reader.sides(question.text, chosen) if question.form == "balance" else []
    parts = _parted(reader, question, chosen, sides)
    in_order = _as_dated if asks_for_change(question.text) else _as_told
    short = [*lead, *in_order(_in_short(reader, question, parts, read)[: max(IN_SHORT - len(lead), 0)])]
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
        if len(part.chosen) < LEAST_SECTION:  # the heading asks for what its section lacks
            words = f"{slot.text}: {question.text}"
            state = ask(state, [Query(text=words, question=question.id, reason="outline", slots=(slot.id,))])
        for piece in in_order(part.chosen):
            state = yield from _place(state, question, section, piece)
            yield state
    for piece in short:
        state = yield from _place(state, question, blocks.SHORT, piece)
        yield state
    return state


def _compared(
    state: ResearchState,
    reader: Reader,
    question: SubQuestion,
    hits: Sequence[Hit],
    chosen: Sequence[Chosen],
    tables: Sequence[Table],
) -> tuple[ResearchState, list[Chosen]]:
    """The table of a comparison, and what its cells quote."""
    rows = compared(question.text, question.things, question.attributes, tables)
    columns = question.attributes or tuple(dict.fromkeys(column for _, column in rows))
    return forms.table(state, reader, question, columns, hits, chosen, rows)


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


def _not_standing(state: ResearchState, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Without the sentences that are quoted already."""
    return remaining(chosen, [quoted_place(b) for b in state.draft.blocks if b.kind == "quotation"])


def _is_free(state: ResearchState, piece: Chosen) -> bool:
    return not any(_overlap(piece, quoted_place(b)) for b in state.draft.blocks if b.kind == "quotation")


def _parted(
    reader: Reader, question: SubQuestion, chosen: Sequence[Chosen], sides: Sequence[Side]
) -> list[outline.Section]:
    """Sections of like meaning, most without a heading yet; first those of what the question asks about side by side, or of a balance
    what speaks for and what against.
    """
    if not chosen:
        return []
    vectors = reader.vectors([c.text for c in chosen])
    groups = [tuple(n for n, held in enumerate(sides) if held == side) for side in forms.SIDES]
    fixed = [
        outline.Group(group, heading)
        for heading, group in zip(forms.SIDES.values(), groups, strict=True)
        if len(group) >= LEAST_SECTION
    ]
    named = list(topics(question, [describing.titled(s) for c in chosen for s in c.sentences]))
    fixed = fixed or outline.by_topic(chosen, vectors, named, reader.vectors, question.form == "comparison")
    return outline.parted(chosen, outline.placed(chosen, vectors, reader.vectors), fixed)


def _in_short(
    reader: Reader, question: SubQuestion, parts: Sequence[outline.Section], read: Sequence[Passage]
) -> list[Chosen]:
    """The best short statements, FEW of a section at most, that come near to the question and belong in the report not much less surely
    than its best sentence.

    Where no short quotation does, sentences of longer ones, and where none of these does either, the best quotation as it stands.
    """
    best = max((c.score for part in parts for c in part.chosen), default=0.0)
    least = thresholds.SHIPPED.short_share * probability(best)

    def likely(told: Sequence[Chosen]) -> list[Chosen]:
        return [c for c in told if probability(c.score) >= least and comes_near(reader, question, [c.text])]

    told = _told(reader, parts, read, (_whole, _single))
    if short := likely(told)[:IN_SHORT] or likely(_told(reader, parts, read, (_single,)))[:FEW]:
        return short
    if not told:  # no section can spare one
        return []
    whole = [c for part in parts if not _is_side(part) for c in part.chosen if not leans(c.text)]
    found = [c for c, is_aim in zip(whole, reader.aims(whole, read), strict=True) if not is_aim]
    return likely(sorted(found, key=lambda c: -c.score))[:1] or told[:1]


def _told(
    reader: Reader, parts: Sequence[outline.Section], read: Sequence[Passage], kinds: Sequence[Pieces]
) -> list[Chosen]:
    """Of a section that takes a side whole quotations alone: what is left of one may take none."""
    found = ((part, (_whole,) if _is_side(part) else kinds) for part in parts)
    return sorted((c for part, own in found for c in _telling(reader, part.chosen, read, own)), key=lambda c: -c.score)


def _is_side(part: outline.Section) -> bool:
    return part.heading in forms.SIDES.values()


def _is_brief(text: str) -> bool:
    return len(text) <= thresholds.SHIPPED.brief


def _telling(
    reader: Reader, chosen: Sequence[Chosen], read: Sequence[Passage], kinds: Sequence[Pieces]
) -> list[Chosen]:
    """The best short statements of a section that stand alone and tell what is, not what was meant to be done, of the first of these
    kinds of pieces that has any: whole quotations, for a sentence means most beside its own, or single ones. What is left of the
    section is enough for one.
    """
    for pieces in (pieces_of(chosen) for pieces_of in kinds):
        told = [c for c, is_aim in zip(pieces, reader.aims(pieces, read), strict=True) if not is_aim]
        kept: list[Chosen] = []
        for piece in sorted(told, key=lambda c: -c.score):
            if len(kept) < FEW and len(remaining(chosen, [place_of(c) for c in (*kept, piece)])) >= LEAST_SECTION:
                kept.append(piece)
        if kept:
            return kept
    return []


def _whole(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The short quotations that lean on no other, nor another on them."""
    joined = outline.leads(chosen)
    bound = {*joined, *joined.values()}
    return [c for n, c in enumerate(chosen) if n not in bound and not leans(c.text) and _is_told(c.text)]


def _single(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The short sentences of quotations that lean on no other, nor another on them."""
    joined = outline.leads(chosen)
    before, after = set(joined), set(joined.values())
    alone: list[Chosen] = []
    for number, piece in enumerate(chosen):
        leaning = [leans(s.text) or takes_up(s.text, one.text) for one, s in pairwise(piece.sentences)]
        needs = [number in before or leans(piece.sentences[0].text), *leaning]
        needed = [*leaning, number in after]
        for sentence, *is_part in zip(piece.sentences, needs, needed, strict=True):
            if not any(is_part) and _is_told(sentence.text):
                alone.append(replace(part_of(piece, [sentence]), score=sentence.score))
    return alone


def _is_told(text: str) -> bool:
    return _is_brief(text) and not text.rstrip().endswith(NOTHING_SAID)


def _heading(section: str, part: outline.Section) -> Span:
    """An OUTLINE slot filled with words of the section's own sentences, or with the title of the best of their sources."""
    name = f"{section}.title"
    for chosen in () if _is_side(part) else part.chosen:
        for sentence in chosen.sentences:
            at = outline.place_in(sentence.text, part.heading)
            if at >= 0:
                quoted = sentence.text[at : at + len(part.heading)]
                start = sentence.start + at
                support = Support(passage=sentence.passage.id, quote=quoted, start=start, end=start + len(quoted))
                return Span(id=name, text=part.heading, kind="OUTLINE", status="filled", support=(support,))
    title = part.heading or part.chosen[0].sentences[0].passage.source.title
    return Span(id=name, text=title, kind="OUTLINE", status="filled")


def _place(state: ResearchState, question: SubQuestion, section: str, chosen: Chosen) -> Events:
    """One quotation, with every source that says the same."""
    passage = chosen.sentences[0].passage
    state, claim = quote(state, section, question.id, passage, chosen.start, chosen.end)
    block = state.draft.block(claim.id)
    assert block is not None, "it was put there just now"
    state = _merge(state, block, chosen.also)
    data = {"span": block.spans[0].id, "text": block.text, "section": section}
    yield Event(step="revise", kind="wrote", text=block.text, data=data)
    return state


def _merge(state: ResearchState, block: Block, also: Iterable[Sentence]) -> ResearchState:
    """The quotation cites the sentences of other sources that say the same."""
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    known = {state.passage(s.passage).source.id for s in cited.support}
    more: list[Support] = []
    for sentence in also:
        if sentence.passage.source.id not in known:
            known.add(sentence.passage.source.id)
            state = refer(state, sentence.passage)
            words = sentence_parts(sentence.passage, sentence.start, sentence.end)
            more.append(blocks.whole_of(sentence.passage, words))
    merged = cited.model_copy(update={"support": (*cited.support, *more)})
    return state.model_copy(update={"draft": state.draft.replace([merged])}) if more else state


def _grow(
    state: ResearchState,
    tools: Tools,
    question: SubQuestion,
    hits: Sequence[Hit],
    chosen: Sequence[Chosen],
    lead: Sequence[Chosen],
) -> Events:
    """What is chosen now and does not stand yet joins the section it is nearest to; what is no longer chosen gives way to it."""
    reader = tools.reader
    assert reader is not None, "only a reader chooses"
    wanted = list(chosen)
    if question.form == "comparison":
        before = state
        state, filled = forms.fill(state, reader, question, hits, lambda piece: _is_free(before, piece))
        for span in filled:
            yield Event(step="revise", kind="wrote", text=span.text, data={"span": span.id, "text": span.text})
    fresh = remaining(_not_standing(state, wanted), [where(s.support[0]) for s in cells(state)])
    fresh = standing_without(state, fresh)  # what lost does not come back
    stale = [b for b in quotations(state) if not any(_overlap(c, quoted_place(b)) for c in wanted)]
    stale = [b for b in stale if not rested_on(state) & {s.id for s in b.spans}]
    stale = [b for b in stale if not any(s.status == "pinned" for s in b.spans)] if "unsure" in tools.reopens else []
    vectors = reader.vectors([c.text for c in fresh]) if fresh else np.zeros((0, 0), dtype=np.float32)
    centres = _centres(state, reader)
    for row, piece in enumerate(fresh):
        leads = any(_overlap(piece, place_of(c)) for c in lead)  # what decides stands ahead, whenever it was found
        section = blocks.SHORT if leads or not centres else max(centres, key=lambda s: float(centres[s] @ vectors[row]))
        leaving = next((b for b in stale if b.section == section), None)
        if leaving is not None:
            stale.remove(leaving)
            state = yield from _give_way(state, leaving, piece)
        else:
            state = yield from _place(state, question, section, piece)
    for block in stale:
        if sum(b.section == block.section for b in quotations(state)) > LEAST_SECTION:
            state = yield from withdraw(state, block, "unsure", NO_LONGER, "revise")
    return state


def join(state: ResearchState, tools: Tools, question: SubQuestion) -> Events:
    """What a person brought to a finished report joins the section it is nearest to, where it belongs in the report at all."""
    if tools.reader is None:
        return state
    hits = found(state, question)
    state = yield from _read_again(state, tools.reader, question, hits)
    state = yield from _without_what_is_beside(state, tools, question, hits)
    if not (quotations(state) or cells(state)):
        return (yield from write(state, tools, question))
    if not state.fresh:
        return state
    brought = [h for h in hits if h.passage.id in state.fresh]
    every = {s.id for s in _table_spans(state)}
    state = yield from _fill_cells(state, tools.reader, question, brought, "new evidence", every)
    if not quotations(state):
        return state
    chosen = choice(tools.reader, question, hits, state.budget.characters)
    lead = balance.ahead(balance.decisive(tools, question, [h.passage for h in brought]), chosen)
    chosen = [*lead, *remaining(chosen, [place_of(c) for c in lead])]
    fresh = [c for c in _not_standing(state, chosen) if c.sentences[0].passage.id in state.fresh]
    fresh = standing_without(state, remaining(fresh, [where(s.support[0]) for s in cells(state)]))
    if not fresh:
        return state
    ahead = _short_of(state, tools.reader, question, fresh, lead, [h.passage for h in hits])
    fresh = [*ahead, *remaining(fresh, [place_of(c) for c in ahead])]
    vectors, centres = tools.reader.vectors([c.text for c in fresh]), _centres(state, tools.reader)
    for row, piece in enumerate(fresh):
        leads = any(_overlap(piece, place_of(c)) for c in (*lead, *ahead))
        section = blocks.SHORT if leads or not centres else max(centres, key=lambda s: float(centres[s] @ vectors[row]))
        state = yield from _place(state, question, section, piece)
    return (yield from balance.weigh_again(state, tools, question))


def _short_of(
    state: ResearchState,
    reader: Reader,
    question: SubQuestion,
    fresh: Sequence[Chosen],
    lead: Sequence[Chosen],
    read: Sequence[Passage],
) -> list[Chosen]:
    """What of a later version's quotations stands in short beside those that lead: the best short ones that come near to the question,
    in what room is left.
    """
    others = remaining(fresh, [place_of(c) for c in lead])
    least = thresholds.SHIPPED.short_share * max((probability(c.score) for c in others), default=0.0)
    brief = [c for c in (*_whole(others), *_single(others)) if probability(c.score) >= least]
    brief = [c for c in brief if comes_near(reader, question, [c.text])]
    told = [c for c, is_aim in zip(brief, reader.aims(brief, read), strict=True) if not is_aim]
    standing = sum(b.section == blocks.SHORT for b in quotations(state))
    room = IN_SHORT - standing - sum(any(_overlap(c, place_of(other)) for other in lead) for c in fresh)
    return told_once(sorted(told, key=lambda c: -c.score))[: max(min(room, FEW), 0)]


def _without_what_is_beside(state: ResearchState, tools: Tools, question: SubQuestion, hits: Sequence[Hit]) -> Events:
    """A report that said of itself that no source speaks of the question keeps, beside one that does, only what is chosen again."""
    if state.draft.block("nearest") is None or not state.fresh or "unsure" not in tools.reopens:
        return state
    reader, needed = tools.reader, rested_on(state)
    assert reader is not None, "asked for by the caller"
    brought = [f"{h.passage.source.title}. {h.passage.text}" for h in hits if h.passage.id in state.fresh]
    if not brought or not comes_near(reader, question, brought):
        return state
    places = [place_of(c) for c in choice(reader, question, hits, state.budget.characters)]
    for block in quotations(state):
        is_held = any(s.id in needed or s.status != "filled" for s in block.spans)  # pinned, or opened by a person
        if not is_held and not any(shares_words(quoted_place(block), place) for place in places):
            state = yield from withdraw(state, block, "unsure", NO_LONGER, "finish")
    return state


def follow(state: ResearchState, tools: Tools, question: SubQuestion) -> Events:
    """What rests on quotations that changed is settled again: headings whose words went with them."""
    if tools.reader is None or "dependent" not in tools.reopens:
        return state
    fallen = yield from fall(state, tools)
    state = _shortened(fallen) if fallen is not state else state
    state = yield from _folded(state, tools.reader)
    state = yield from balance.weigh_again(state, tools, question)
    for block in _orphaned(state, question):
        texts = [b.text for b in quotations(state) if b.section == block.section]
        if not texts:
            continue
        slot = next(s for s in block.spans if s.kind == "OUTLINE")
        centre = _centre(tools.reader.vectors(texts))[None, :]
        taken = [s.text for b in _headings(state) if b.id != block.id for s in b.spans]
        asked = " ".join((question.text, *taken))
        (words,) = outline.headings(
            [texts], [[""] * len(texts)], centre, asked, tools.reader.vectors, tools.reader.wholeness
        )
        support = next((s for b in quotations(state) if b.section == block.section for s in _where(b, words)), None)
        if not words or support is None or words == slot.text:
            continue
        state = yield from _reword(state, slot, words, support)
    return state


def _shortened(state: ResearchState) -> ResearchState:
    """Where *In short* lost its statements, the first short one of each section that keeps enough without it moves there."""
    standing = quotations(state)
    count = sum(b.section == blocks.SHORT for b in standing)
    if state.version > 1 or count >= LEAST_SECTION:
        return state
    for section in blocks.SECTIONS:
        held = [b for b in standing if b.section == section]
        brief = next((b for b in held if _is_brief(b.text) and not leans(b.text)), None)
        if brief and len(held) > LEAST_SECTION and count < IN_SHORT:
            moved = brief.model_copy(update={"section": blocks.SHORT})
            state = state.model_copy(update={"draft": state.draft.swap([brief.id], [])})
            state, count = blocks.put(state, [moved]), count + 1
    return state


def _folded(state: ResearchState, reader: Reader) -> Events:
    """In a first version no heading is left over one quotation: that stands in the section it is nearest to, or where there is no
    other, in short. Sides stay apart.
    """
    for section in blocks.SECTIONS if state.version == 1 else ():
        held = [b for b in quotations(state) if b.section == section]
        sides = {b.section for b in _headings(state) if b.text in forms.SIDES.values()}
        centres = {n: centre for n, centre in _centres(state, reader).items() if n != section and n not in sides}
        is_short = not sides and any(b.section == blocks.SHORT for b in quotations(state))
        if len(held) != 1 or section in sides or not (centres or is_short):
            continue
        (vector,) = reader.vectors([held[0].text])
        nearest = max(centres, key=lambda name: float(centres[name] @ vector), default=blocks.SHORT)
        named = [b for b in state.draft.section(section) if b.kind == "heading"]
        draft = state.draft.swap([b.id for b in (*named, *held)], [])
        moved = held[0].model_copy(update={"section": nearest})
        state = blocks.put(state.model_copy(update={"draft": draft}), [moved])
        why = f"one statement was left under “{''.join(b.text for b in named)}”; it stands with what is nearest to it"
        dropped = {"added": [], "dropped": [section], "why": why}
        yield Event(step="finish", kind="replanned", text=why, data=dropped)
    return state


def _headings(state: ResearchState) -> list[Block]:
    return [b for b in state.draft.blocks if b.kind == "heading" and b.section in blocks.SECTIONS]


def _orphaned(state: ResearchState, question: SubQuestion) -> list[Block]:
    """Headings whose words were taken from a quotation that stands in the report no more, and titles that nothing under them has; none
    that the question itself names.
    """
    standing = quotations(state)
    places = [quoted_place(b) for b in standing]
    titles = {b.id: outline.titles_of(_cited(state, b)) for b in standing}
    known = {title for passage in state.passages for title in outline.titles_of(passage)}
    known -= {outline.opened(topic) for topic in topics(question)}

    def is_orphan(block: Block, slot: Span) -> bool:
        own = {title for b in standing if b.section == block.section for title in titles[b.id]}
        if slot.status == "pinned" or slot.kind != "OUTLINE" or slot.text in own:
            return False
        return not any(_lies_in(slot.support[0], p) for p in places) if slot.support else slot.text in known

    return [b for b in _headings(state) if any(is_orphan(b, s) for s in b.spans)]


def _lies_in(support: Support, place: tuple[str, int, int]) -> bool:
    source, start, end = place
    return support.passage.rpartition("-")[0] == source and start <= support.start and support.end <= end


def _where(block: Block, words: str) -> list[Support]:
    """Where a quotation has these words, as support of a heading."""
    whole, at = block.span("citation"), outline.place_in(block.text, words)
    if whole is None or at < 0:
        return []
    cited = whole.support[0]
    start = cited.start + at
    quoted = block.text[at : at + len(words)]
    return [Support(passage=cited.passage, quote=quoted, start=start, end=start + len(words))]


def _reword(state: ResearchState, slot: Span, words: str, support: Support) -> Events:
    yield Event(
        step="revise", kind="reopened", text=f"reopened the heading “{slot.text}”: what it was read in changed",
        data={"spans": [slot.id], "evidence": support.passage, "reason": "dependent"},
    )  # fmt: skip
    changed = slot.model_copy(update={"text": words, "support": (support,)})
    revision = Revision(
        version=state.version, span=slot.id, reopened=(slot.id,), old=slot.text, new=words, reason="dependent",
        evidence=support.passage, steps=1,
    )  # fmt: skip
    yield revised(revision, "revise")
    draft = state.draft.replace([changed])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})


def _fill_cells(
    state: ResearchState, reader: Reader, question: SubQuestion, hits: Sequence[Hit], reason: Reason, names: Set[str]
) -> Events:
    """Cells of these names that nothing fills, filled from passages found; each is a revision."""
    waiting = [s for s in _table_spans(state) if s.id in names and s.status == "unestablished"]
    if question.form != "comparison" or not waiting:
        return state
    empty = [s.model_copy(update={"status": "open"}) for s in waiting]
    state = state.model_copy(update={"draft": state.draft.replace(empty)})
    before = state
    state, filled = forms.fill(state, reader, question, hits, lambda piece: _is_free(before, piece))
    state = forms.close(state)
    for span in filled:
        state, listed = forms.list_again(state, [span.id])
        revision = Revision(
            version=state.version, span=span.id, reopened=(span.id, *listed), old="", new=span.text, reason=reason,
            evidence=span.support[0].passage, steps=1,
        )  # fmt: skip
        yield revised(revision, "finish")
        state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    return state


def _table_spans(state: ResearchState) -> tuple[Span, ...]:
    block = state.draft.block(forms.TABLE)
    return block.spans if block else ()


def _read_again(state: ResearchState, reader: Reader, question: SubQuestion, hits: Sequence[Hit]) -> Events:
    """The cells that a ban emptied, from what other sources say; those that stay empty are named."""
    banned = [r for r in state.revisions if r.version == state.version and r.reason == "ban"]
    emptied = {s.id for s in _table_spans(state)} & {r.span for r in banned}
    if not emptied:
        return state
    state = yield from _fill_cells(state, reader, question, hits, "ban", emptied)
    state, listed = forms.list_again(state, sorted(emptied))
    if not listed:
        return state
    *others, last = state.revisions
    last = last.model_copy(update={"reopened": (*last.reopened, *listed)})  # the lines went for what was banned
    return state.model_copy(update={"revisions": (*others, last)})


def cells(state: ResearchState) -> list[Span]:
    block = state.draft.block(forms.TABLE)
    return [s for s in block.spans if s.support] if block else []


def _overlap(chosen: Chosen, place: Where) -> bool:
    return shares_words(place_of(chosen), place)


def _centres(state: ResearchState, reader: Reader) -> dict[str, Vectors]:
    """Where each section lies, by its heading and its quotations."""
    texts: dict[str, list[str]] = {}
    for block in state.draft.blocks:
        if block.section in blocks.SECTIONS:
            texts.setdefault(block.section, []).append(block.text)
    return {section: _centre(reader.vectors(held)) for section, held in texts.items()}


def _centre(vectors: Vectors) -> Vectors:
    mean: Vectors = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def _give_way(state: ResearchState, block: Block, chosen: Chosen) -> Events:
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
    return _merge(state.model_copy(update={"revisions": (*state.revisions, revision)}), after, chosen.also)


def without(state: ResearchState, question: SubQuestion) -> ResearchState:
    """The report without a tentative question that got no answer: its sections answer the whole."""
    section = f"answer.{question.id}"
    others = [q for q in state.questions if q.id != question.id]
    gone = {b.id for b in state.draft.section(section)}
    heading = {"answer.heading"}  # above all answers, in the section of the first: it goes with the last
    gone = gone - heading if any(not q.is_open for q in others) else gone | heading
    return state.model_copy(update={"questions": tuple(others), "draft": state.draft.swap(gone, [])})


def source_title(state: ResearchState, block: Block) -> str:
    return _cited(state, block).source.title


def _cited(state: ResearchState, block: Block) -> Passage:
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    return state.passage(cited.support[0].passage)
