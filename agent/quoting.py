"""The quotations that stand in an open report: which they are, where they and its sections lie, and how one more is put there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from palimpsest.retrieval.records import table_id
from palimpsest.retrieval.types import Passage

from . import blocks, forms
from .dependents import quoted_place, where
from .draft import Block, Span, Support
from .drafting import quote, refer, sentence_parts
from .outline import Vectors
from .sentences import Chosen, Sentence, Where, place_of, shares_words
from .state import Event, Reader, ResearchState, Steps, SubQuestion
from .tabling import IN_RECORDS
from .whole import remaining

NO_LONGER = "unsure beside what was found since, and nothing takes its place"


def quotations(state: ResearchState) -> list[Block]:
    """The quotations in short and in the sections, in the order of the draft."""
    return [b for b in state.draft.blocks if b.kind == "quotation" and _is_open(b.section)]


def _is_open(section: str) -> bool:
    return section == blocks.SHORT or section in blocks.SECTIONS


def cells(state: ResearchState) -> list[Span]:
    """The filled cells of the table of a comparison."""
    block = state.draft.block(forms.TABLE)
    return [s for s in block.spans if s.support] if block else []


def beside_cells(state: ResearchState, question: SubQuestion, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Without what the cells of a comparison hold; where it names what things are compared by, the other records of the tables that
    cells are of tell what is not asked.
    """
    copied = [support for span in cells(state) for support in span.support]
    held = (state.passage(support.passage) for support in copied)
    asked = {table_id(p) for p in held if p.kind in IN_RECORDS} if question.attributes else set()
    passages = ((piece, piece.sentences[0].passage) for piece in remaining(chosen, list(map(where, copied))))
    return [piece for piece, p in passages if p.kind not in IN_RECORDS or table_id(p) not in asked]


def not_standing(state: ResearchState, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Without the sentences that are quoted already."""
    return remaining(chosen, [quoted_place(b) for b in state.draft.blocks if b.kind == "quotation"])


def is_free(state: ResearchState, piece: Chosen) -> bool:
    """Whether no quotation of the report shares words with a piece."""
    return not any(overlaps(piece, quoted_place(b)) for b in state.draft.blocks if b.kind == "quotation")


def overlaps(chosen: Chosen, place: Where) -> bool:
    """Whether a piece shares words with a place of a source."""
    return shares_words(place_of(chosen), place)


def centres_of(state: ResearchState, reader: Reader) -> dict[str, Vectors]:
    """Where each section lies, by its heading and its quotations."""
    texts: dict[str, list[str]] = {}
    for block in state.draft.blocks:
        if block.section in blocks.SECTIONS:
            texts.setdefault(block.section, []).append(block.text)
    return {section: centre_of(reader.vectors(held)) for section, held in texts.items()}


def centre_of(vectors: Vectors) -> Vectors:
    """[n, d] vectors to their mean direction [d]."""
    mean: Vectors = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def put_quotation(state: ResearchState, question: SubQuestion, section: str, chosen: Chosen) -> Steps:
    """One quotation, with every source that says the same."""
    passage = chosen.sentences[0].passage
    state, claim = quote(state, section, question.id, passage, chosen.start, chosen.end)
    block = state.draft.block(claim.id)
    assert block is not None, "it was put there just now"
    state = merge(state, block, chosen.also)
    data = {"span": block.spans[0].id, "text": block.text, "section": section}
    yield Event(step="revise", kind="wrote", text=block.text, data=data)
    return state


def merge(state: ResearchState, block: Block, also: Iterable[Sentence]) -> ResearchState:
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


def source_title(state: ResearchState, block: Block) -> str:
    """The title of the source that a quotation is of."""
    return cited_passage(state, block).source.title


def cited_passage(state: ResearchState, block: Block) -> Passage:
    """The passage that a quotation is of."""
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    return state.passage(cited.support[0].passage)
