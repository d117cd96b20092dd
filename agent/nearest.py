"""What comes nearest to a question that nothing surely answers: quoted, so that a reader may judge."""

from __future__ import annotations

from palimpsest.retrieval.types import Passage

from . import late
from .draft import Support
from .drafting import known_answers, quote, standing_quotation
from .evidence_text import sentences_of
from .questions import resolved
from .sentences import LEAST_CHARACTERS, MANY_CHARACTERS, Sentence, unsplit
from .state import Event, Events, ResearchState, SubQuestion, Tools
from .tabling import IN_RECORDS
from .whole import quoted_with

MOST = 2  # sentences, each of a source of its own


def quoted(state: ResearchState, tools: Tools, question: SubQuestion) -> Events:
    """Quote, once, of what was read for a question the sentences that hold most of it under what heads them, one of each source."""
    text = resolved(question, known_answers(state))
    read = [p for p in state.firm if f"{question.id}/{p.id}" in state.read and p.kind not in IN_RECORDS]
    pieces = [s for p in read for s in _sentences(p)]
    is_quoted = any(state.draft.block(claim.id) for claim in state.graph.claims(question.id))
    if tools.words is None or text is None or not pieces or is_quoted:
        return state
    held = late.standing(text, [(s.passage, s.start, s.end) for s in pieces], read, tools.words)[:, 0]
    taken: set[str] = set()
    for number in (-held).argsort(kind="stable"):
        sentence = pieces[number]
        whole = quoted_with(sentence, unsplit)
        if len(taken) == MOST:
            break
        if sentence.passage.source.id in taken or not whole or _stands(state, sentence):
            continue
        taken.add(sentence.passage.source.id)
        state, claim = quote(state, "findings", question.id, sentence.passage, whole[0].start, whole[-1].end)
        yield Event(step="finish", kind="wrote", text=claim.text, data={"span": claim.id, "text": claim.text})
    return state


def _sentences(passage: Passage) -> list[Sentence]:
    """The sentences of a passage that state something; a byline has none."""
    if passage.kind == "byline":
        return []
    found = (Sentence(passage, start, end, rank=1) for start, end in sentences_of(passage))
    return [s for s in found if LEAST_CHARACTERS <= s.length <= MANY_CHARACTERS]


def _stands(state: ResearchState, sentence: Sentence) -> bool:
    """Whether a sentence is quoted already."""
    place = Support(passage=sentence.passage.id, quote=sentence.text, start=sentence.start, end=sentence.end)
    return standing_quotation(state, place) is not None
