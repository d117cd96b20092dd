"""What a report says of its question: that no document can hold what is asked for, that a name in it means several things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex  # type: ignore[import-untyped]

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage, Source

from .draft import Support
from .drafting import is_listed, list_open, slot_of
from .premises import contradiction
from .state import Event, ResearchState, Steps, SubQuestion, Tools
from .weighing import FUTURE, OPINION
from .wording import words

MOST_SENSES = 5  # meanings of a name that are listed
NEAREST = 8  # passages of a search that are asked whether they contradict the question
_QUALIFIED = regex.compile(r"(?P<name>.+?)\s*\((?P<which>[^()]+)\)")


def say(state: ResearchState, tools: Tools) -> Steps:
    """Name what the question asks for that documents do not hold, and the names in it that the evidence uses for several things."""
    beyond = tools.reader.beyond(state.question) if tools.reader else ""
    lines = [_beyond(beyond, state)] if beyond else []
    sources = list({p.source.id: p.source for p in state.firm}.values())
    lines += [
        f"“{name}” names several things in what was found: {'; '.join(titles[:MOST_SENSES])}. Ask again with the one that is meant"
        for name, titles in senses(state.question, sources)
    ]
    for number, line in enumerate(lines, 1):
        state = list_open(state, f"limits.{number}", f"{line}.")
        yield Event(
            step="finish", kind="unestablished", text=f"{line}.", data={"question": "", "limit": beyond or "name"}
        )
    return (yield from _taken_for_granted(state, tools))


def _taken_for_granted(state: ResearchState, tools: Tools) -> Steps:
    """Name the sentence that contradicts what the question takes for granted, for every part that was asked in its own words."""
    for question in (q for q in state.questions if not q.depends_on):
        said = contradiction(tools.writer, tools.numbers, question.text, _read_for(state, question))
        name = f"premise.{question.text}"
        if said is None or is_listed(state, name) or _is_answer(state, said):
            continue
        support = Support(passage=said.id, quote=said.text, start=said.start, end=said.end)
        line = f"What the question takes for granted may not hold: “{said.source.title}” says “{said.text}”"
        state = list_open(state, name, line, support)
        yield Event(step="finish", kind="unestablished", text=line, data={"question": question.id, "limit": "premise"})
    return state


def _is_answer(state: ResearchState, sentence: Passage) -> bool:
    """Whether an answer that stands was read in this sentence."""
    read = [s for q in state.facts for s in slot_of(state, q).support[:1]]
    return any(s.passage == sentence.id and sentence.start <= s.start and s.end <= sentence.end for s in read)


def _read_for(state: ResearchState, question: SubQuestion) -> list[Passage]:
    """The passages that were found first for the words of a question."""
    ranks = {f.passage: f.rank for f in state.finds if f.query == question.text and f.rank <= NEAREST}
    return [p for p in state.firm if p.id in ranks]


def _beyond(kind: str, state: ResearchState) -> str:
    dates = [p.source.date for p in state.firm if p.source.date]
    if kind == FUTURE:
        newest = f"; the newest source that was found is of {max(dates)}" if dates else ""
        return f"The question asks about what has not happened yet: documents hold no more than what was expected of it{newest}"
    assert kind == OPINION, f"no sentence was written for {kind!r}"
    return "The question asks for a judgement of taste or choice: what is quoted is what the authors of the sources say, no more"


def senses(question: str, sources: Sequence[Source]) -> list[tuple[str, list[str]]]:
    """Names of the question with the titles that tell them apart, "Orta (lake)" and "Orta (barge)", where it names none of these."""
    asked = set(words(question))
    names = list(dict.fromkeys(question[s:e] for s, e, kind in typed_spans(question) if kind is MaskKind.ENTITY))
    found = ((name, list(dict.fromkeys(_titles(name, sources)))) for name in names)
    return [
        (name, titles)
        for name, titles in found
        if len(titles) > 1 and not any(asked & set(words(_which(title))) for title in titles)
    ]


def _titles(name: str, sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        held = _QUALIFIED.fullmatch(source.title)
        if (held["name"] if held else source.title).casefold() == name.casefold():
            yield source.title


def _which(title: str) -> str:
    held = _QUALIFIED.fullmatch(title)
    return held["which"] if held else ""
