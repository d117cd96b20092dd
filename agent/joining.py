"""A later version of an open report: what a person brought or banned changes what it quotes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence, Set

from palimpsest.retrieval.types import Hit, Passage

from . import balance, blocks, forms, thresholds
from .choosing import choice, comes_near, found
from .dependents import quoted_place, rested_on, standing_without, withdraw
from .draft import Span
from .drafting import revised
from .in_short import FEW, IN_SHORT, single_sentences, whole_quotations
from .numbers import probability
from .quoting import (
    NO_LONGER,
    beside_cells,
    cells,
    centres_of,
    is_free,
    not_standing,
    overlaps,
    put_quotation,
    quotations,
)
from .sections import write
from .sentences import Chosen, place_of, shares_words
from .state import Reader, Reason, ResearchState, Revision, Steps, SubQuestion, Tools
from .whole import remaining, told_once


def join(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
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
    fresh = [c for c in not_standing(state, chosen) if c.sentences[0].passage.id in state.fresh]
    fresh = standing_without(state, beside_cells(state, question, fresh))
    if not fresh:
        return state
    ahead = _short_of(state, tools.reader, question, fresh, lead, [h.passage for h in hits])
    fresh = [*ahead, *remaining(fresh, [place_of(c) for c in ahead])]
    vectors, centres = tools.reader.vectors([c.text for c in fresh]), centres_of(state, tools.reader)
    for row, piece in enumerate(fresh):
        leads = any(overlaps(piece, place_of(c)) for c in (*lead, *ahead))
        section = blocks.SHORT if leads or not centres else max(centres, key=lambda s: float(centres[s] @ vectors[row]))
        state = yield from put_quotation(state, question, section, piece)
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
    brief = [c for c in (*whole_quotations(others), *single_sentences(others)) if probability(c.score) >= least]
    brief = [c for c in brief if comes_near(reader, question, [c.text])]
    told = [c for c, is_aim in zip(brief, reader.aims(brief, read), strict=True) if not is_aim]
    standing = sum(b.section == blocks.SHORT for b in quotations(state))
    room = IN_SHORT - standing - sum(any(overlaps(c, place_of(other)) for other in lead) for c in fresh)
    return told_once(sorted(told, key=lambda c: -c.score))[: max(min(room, FEW), 0)]


def _without_what_is_beside(state: ResearchState, tools: Tools, question: SubQuestion, hits: Sequence[Hit]) -> Steps:
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


def _fill_cells(
    state: ResearchState, reader: Reader, question: SubQuestion, hits: Sequence[Hit], reason: Reason, names: Set[str]
) -> Steps:
    """Cells of these names that nothing fills, filled from passages found; each is a revision."""
    waiting = [s for s in _table_spans(state) if s.id in names and s.status == "unestablished"]
    if question.form != "comparison" or not waiting:
        return state
    empty = [s.model_copy(update={"status": "open"}) for s in waiting]
    state = state.model_copy(update={"draft": state.draft.replace(empty)})
    before = state
    state, filled = forms.fill(state, reader, question, hits, lambda piece: is_free(before, piece))
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


def _read_again(state: ResearchState, reader: Reader, question: SubQuestion, hits: Sequence[Hit]) -> Steps:
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
