"""The verdict of a balance in words, and the quotations that decide a question to be answered by yes or no, which stand ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from palimpsest.retrieval.types import Passage

from . import blocks, forms, polar
from .drafting import revised
from .polar import Judged
from .questions import claimed
from .selection import Chosen, Sentence, overlapping, place_of, standing
from .state import ResearchState, Revision, Side, Steps, SubQuestion, Tools
from .watching import at

EACH_WAY = 2  # quotations of one claim and side that stand ahead: the surest


def decisive(tools: Tools, question: SubQuestion, passages: Sequence[Passage]) -> list[Judged]:
    """The sentences of `passages` that decide the question, none of them an aim; none where it is not to be answered by yes or no."""
    if not claimed(question.text) or tools.reader is None:
        return []
    writer = at(tools, "verdict", [["verdict.text"]], "verdict")
    found = polar.judged(writer, tools.numbers, question.text, passages)
    aims = tools.reader.aims([Chosen((j.sentence,), j.probability) for j in found], passages)
    return [j for j, is_aim in zip(found, aims, strict=True) if not is_aim]


def ahead(found: Sequence[Judged], chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations that decide, the surest first, each with the sentence that it leans on; sources that say the same stay."""
    kept: list[Chosen] = []
    taken: dict[tuple[int, Side], int] = {}
    for judged in found:
        count = taken.get((judged.claim, judged.side), 0)
        piece = standing(Chosen((judged.sentence,), judged.probability), _whole)
        if count < EACH_WAY and not any(overlapping(piece, other) for other in kept):
            same = next((c.also for c in chosen if c.sentences == piece.sentences), ())
            kept.append(replace(piece, also=same))
            taken[judged.claim, judged.side] = count + 1
    return kept


def _whole(text: str) -> list[tuple[int, int]]:
    """The one sentence of a passage that was never split."""
    return [(0, len(text))]


def verdict(tools: Tools, question: SubQuestion, chosen: Sequence[Chosen], found: Sequence[Judged]) -> str:
    """How what is quoted answers the question, in words; "" where it does not."""
    assert tools.reader is not None, "only a reader chooses"
    quoted = [j for j in found if any(polar.sides([j], [place_of(c) for c in chosen]))]
    said = polar.answer(question.text, quoted)
    return said or (forms.verdict(tools.reader.sides(chosen), chosen) if question.form == "balance" else "")


def weigh_again(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """What is said of a balance follows what is quoted now; that of a question which follows on stands in its own section."""
    if tools.reader is None or not (question.form == "balance" or claimed(question.text)):
        return state
    is_first = question.asked_in == 1
    name, section = ("verdict", blocks.SHORT) if is_first else (f"{question.id}.verdict", f"answer.{question.id}")
    places = (blocks.SHORT, *blocks.SECTIONS) if is_first else (section,)
    written = [b for b in state.draft.blocks if b.kind in ("quotation", "prose") and b.section in places]
    cited = [c.support[0] for b in written if (c := b.span("citation"))]
    held = [Chosen((Sentence(state.passage(s.passage), s.start, s.end, 1),), 0.0) for s in cited]
    found = decisive(tools, question, [c.sentences[0].passage for c in held])
    return (yield from restated(state, name, section, verdict(tools, question, held, found)))


def restated(state: ResearchState, name: str, section: str, now: str) -> Steps:
    """A statement of the program's own that reads as it does `now`, ahead in its section; "" takes it out. A change is a revision."""
    block = state.draft.block(name)
    if now == (block.text if block else ""):
        return state
    if block is None:
        return blocks.put_first(state, blocks.statement(name, section, now))
    names = tuple(s.id for s in block.spans)
    revision = Revision(
        version=state.version, span=names[0], reopened=names, old=block.text, new=now, reason="dependent", evidence=None
    )
    yield revised(revision, "finish")
    draft = state.draft.swap([block.id], [blocks.statement(block.id, section, now)] if now else [])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})
