"""The chain that an answer stands at the end of, shown: the sentence before its own, with the name that leads from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from palimpsest.retrieval.types import Passage

from . import blocks
from .draft import Block
from .drafting import believed_answers, quote, quote_of, sentence_parts, slot_of
from .evidence_text import Part, content, sentences_of, slice_of
from .hops import leads_on
from .questions import resolved
from .state import Event, ResearchState, Steps, SubQuestion, Tools


class Hop(NamedTuple):
    """The source's sentence [start, end) that comes first, and where in it, or in the answer's own, the leading name stands."""

    passage: Passage
    start: int
    end: int
    name: tuple[int, int]
    in_answer: bool  # the answer's sentence names this source, not this sentence the answer's


def show(state: ResearchState, tools: Tools) -> Steps:
    """Ahead of the sentence of every answer the one that leads to it, where one does and none is shown yet."""
    for question in state.facts:
        place = slot_of(state, question)
        if place.status != "filled" or place.kind == "COMPUTED":
            continue
        text, own = resolved(question, believed_answers(state, tools.numbers)), quote_of(state, question)
        if own is None or text is None or own.section != f"answer.{question.id}":
            continue
        if state.draft.block(blocks.hop_of(question)) is not None:
            continue
        hop = first_hop(state, text, own)
        if hop is not None:
            state = _shown(state, question, own, hop)
            said = state.draft.block(blocks.hop_of(question))
            assert said is not None, "it was put there just now"
            yield Event(step="finish", kind="wrote", text=said.text, data={"span": said.spans[0].id, "text": said.text})
    return state


def first_hop(state: ResearchState, text: str, own: Block) -> Hop | None:
    """The sentence of another source that says most of what the answer's own source does not say of the question.

    It names the answer's source, or its source is named by the answer's sentence; by a name that the question does not hold. None
    where no such sentence says half of that.
    """
    cited = own.span("citation")
    if cited is None or not cited.support:
        return None
    passage, said = state.passage(cited.support[0].passage), cited.support[0]
    lacking = content(text) - content(f"{passage.source.title} {passage.text}")
    hops = [
        h for p in state.firm if p.source.id != passage.source.id for h in _hops(p, passage, said.start, said.end, text)
    ]
    if not hops or not lacking:
        return None
    gained = {h: len(lacking & content(f"{h.passage.source.title} {_sentence(h)}")) for h in hops}
    best = max(hops, key=gained.__getitem__)
    return best if 2 * gained[best] >= len(lacking) else None


def _hops(first: Passage, last: Passage, start: int, end: int, text: str) -> Iterator[Hop]:
    """The sentences of `first` that lead to [start, end) of `last`."""
    for at, stop in sentences_of(first):
        if named := leads_on(slice_of(first, at, stop), last, text):
            yield Hop(first, at, stop, named, in_answer=False)
    if named := leads_on(slice_of(last, start, end), first, text):
        for at, stop in sentences_of(first):
            yield Hop(first, at, stop, named, in_answer=True)


def _sentence(hop: Hop) -> str:
    return slice_of(hop.passage, hop.start, hop.end).text


def _shown(state: ResearchState, question: SubQuestion, own: Block, hop: Hop) -> ResearchState:
    """The first sentence quoted ahead of the answer's, the leading name marked where it stands."""
    section = f"answer.{question.id}"
    state, _ = quote(state, section, question.id, hop.passage, hop.start, hop.end, name=blocks.hop_of(question))
    words = sentence_parts(hop.passage, hop.start, hop.end) if hop.in_answer else _around(hop)
    before = blocks.quotation(blocks.hop_of(question), section, words, hop.passage, blocks.hop_of(question))
    after = _marked(own, hop.name) if hop.in_answer else own
    before = before if hop.in_answer else _marked(before, hop.name)
    draft = state.draft.swap([blocks.hop_of(question)], []).swap([own.id], [before, after])
    return state.model_copy(update={"draft": draft})


def _around(hop: Hop) -> list[Part]:
    """A sentence cut at its typed places and at the leading name."""
    start, end = hop.name
    name = Part(slice_of(hop.passage, start, end).text, start, end, "ENTITY")
    sides = [(hop.start, start), (end, hop.end)]
    head, tail = (sentence_parts(hop.passage, a, b) if a < b else [] for a, b in sides)
    return [*head, name, *tail]


def _marked(block: Block, name: tuple[int, int]) -> Block:
    """The block with its places that lie in the leading name, or hold it, marked."""
    spans = tuple(
        s.model_copy(update={"leads": True})
        if s.kind == "ENTITY" and any(p.start < name[1] and name[0] < p.end for p in s.support)
        else s
        for s in block.spans
    )
    return block.model_copy(update={"spans": spans})
