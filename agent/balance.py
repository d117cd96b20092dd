"""The verdict of a balance in words, and the quotations that decide a question to be answered by yes or no, which stand ahead."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from palimpsest.retrieval.types import Passage

from . import blocks, forms, late, polar
from .dependents import said_anew
from .draft import Block, Support
from .drafting import refer, sentence_parts
from .evidence_text import sentences_of
from .numbers import Numbers
from .polar import Answer, Judged
from .questions import claimed
from .sentences import Chosen, Sentence, overlapping, place_of, unsplit
from .state import Reader, ResearchState, Side, Steps, SubQuestion, Tools, Writer
from .watching import at
from .whole import standing

EACH_WAY = 2  # quotations of one claim and side that stand ahead: the surest
UNDECIDED = 4  # of one claim that stand ahead where none decides


def decisive(tools: Tools, question: SubQuestion, passages: Sequence[Passage]) -> list[Judged]:
    """The sentences of `passages` that decide the question, none of them an aim; none where it is not to be answered by yes or no."""
    if not claimed(question.text) or tools.reader is None:
        return []
    writer = at(tools, "verdict", [["verdict.text"]], "verdict")
    found = judged(writer, tools.reader, tools.numbers, question.text, passages, tools.reader.studies(passages))
    return _near(found, tools, question.text, passages)


def judged(
    writer: Writer, reader: Reader, numbers: Numbers, question: str, passages: Sequence[Passage], studies: Set[str]
) -> list[Judged]:
    """The sentences that decide, of sources that are no `studies`, or speak of it (`polar.judged`); none of them an aim."""
    found = polar.judged(writer, numbers, question, passages, studies)
    aims = reader.aims([Chosen((j.sentence,), j.probability) for j in found], passages)
    return [j for j, is_aim in zip(found, aims, strict=True) if not is_aim]


def _near(found: Sequence[Judged], tools: Tools, question: str, passages: Sequence[Passage]) -> list[Judged]:
    """Only what holds nearly as much of its claim as the sentence that holds most of it: a sentence on something else says neither yes
    nor no, nor does it speak of it.
    """
    if tools.words is None:
        return list(found)
    every = [(p, start, end) for p in passages for start, end in sentences_of(p)]
    kept: list[Judged] = []
    for number, claim in enumerate(polar.claims(question)):
        of_it = [j for j in found if j.claim == number]
        own = [(j.sentence.passage, j.sentence.start, j.sentence.end) for j in of_it]
        held = late.standing(claim, [*own, *every], passages, tools.words)[:, 0].tolist() if own else []
        kept += [j for j, h in zip(of_it, held, strict=False) if h >= tools.numbers.says_near * max(held)]
    return [j for j in found if j in kept]


def ahead(found: Sequence[Judged], chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations that decide, the surest first, each with the sentence that it leans on; the same words of two sources are one."""
    kept: list[Chosen] = []
    taken: dict[tuple[int, Side], int] = {}
    for judged in found:
        count = taken.get((judged.claim, judged.side), 0)
        piece = standing(Chosen((judged.sentence,), judged.probability), unsplit)
        twin = next((n for n, other in enumerate(kept) if other.text == piece.text), None)
        if twin is not None and not overlapping(piece, kept[twin]):
            kept[twin] = replace(kept[twin], also=(*kept[twin].also, judged.sentence))
            continue
        if count < (EACH_WAY if judged.side else UNDECIDED) and not any(overlapping(piece, other) for other in kept):
            same = next((c.also for c in chosen if c.sentences == piece.sentences), ())
            kept.append(replace(piece, also=same))
            taken[judged.claim, judged.side] = count + 1
    return kept


def verdict(tools: Tools, question: SubQuestion, chosen: Sequence[Chosen], found: Sequence[Judged]) -> Answer:
    """How what is quoted answers the question, in words, and the sentences that it was read from; "" where it does not."""
    assert tools.reader is not None, "only a reader chooses"
    places = [place_of(c) for c in chosen] + [place_of(s) for c in chosen for s in c.also]
    said = polar.answer(question.text, [j for j in found if any(polar.sides([j], places))])
    if said.text or question.form != "balance":
        return said
    return Answer(forms.verdict(tools.reader.sides(question.text, chosen), chosen), ())


def weigh_again(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """What is said of a balance follows what is quoted now; that of a question which follows on stands in its own section."""
    if tools.reader is None or not (question.form == "balance" or claimed(question.text)):
        return state
    is_first = question.asked_in == 1
    name, section = ("verdict", blocks.SHORT) if is_first else (f"{question.id}.verdict", f"answer.{question.id}")
    places = (blocks.SHORT, *blocks.SECTIONS) if is_first else (section,)
    written = [b for b in state.draft.blocks if b.kind in ("quotation", "prose") and b.section in places]
    cited = [[_sentence(state, s) for s in c.support] for b in written if (c := b.span("citation"))]
    held = [Chosen((first,), 0.0, also=tuple(others)) for first, *others in cited]
    passages = {s.passage.id: s.passage for c in held for s in (c.sentences[0], *c.also)}
    found = decisive(tools, question, list(passages.values()))
    return (yield from restated(state, name, section, verdict(tools, question, held, found)))


def _sentence(state: ResearchState, support: Support) -> Sentence:
    return Sentence(state.passage(support.passage), support.start, support.end, 1)


def restated(state: ResearchState, name: str, section: str, now: Answer) -> Steps:
    """A statement of the program's own that reads as it does `now`, ahead in its section, with the sentences that it was read from; ""
    takes it out. A change of it is a revision; in a first version that of its words alone.
    """
    block = state.draft.block(name)
    if not now.text:
        return (yield from said_anew(state, block, None)) if block else state
    state, fresh = stated(state, name, section, now)
    if block is None:
        return blocks.put_first(state, fresh)
    is_cited_anew = _cited(fresh) != _cited(block) and state.version > 1
    if fresh.text != block.text or is_cited_anew:
        return (yield from said_anew(state, block, fresh))
    return state.model_copy(update={"draft": state.draft.swap([name], [fresh])})


def _cited(block: Block) -> tuple[Support, ...]:
    mark = block.span("citation")
    return mark.support if mark else ()


def stated(state: ResearchState, name: str, section: str, said: Answer) -> tuple[ResearchState, Block]:
    """The block of what is said, which cites the sentences it was read from, and the state in which their sources have numbers."""
    cited = [blocks.whole_of(s.passage, sentence_parts(s.passage, s.start, s.end)) for s in said.read]
    for sentence in said.read:
        state = refer(state, sentence.passage)
    return state, blocks.statement(name, section, said.text, cited)
