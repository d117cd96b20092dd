"""Which quotations an open report is made of: what is asked for it, what was found, and what of that belongs in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import regex  # type: ignore[import-untyped]

from palimpsest.retrieval.types import Hit

from . import asking, describing, outline, speech, thresholds
from .naming import as_said, names_thing
from .sentences import Chosen, Sentence, place_of
from .state import Query, Reader, ResearchState, SubQuestion
from .whole import remaining

FUSION = 60  # the constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)
ENDS, CLOSING = tuple("?,;:.!…"), " \n\"'”’)]*_"  # what ends a sentence, and what may stand behind that
BACK_MATTER = regex.compile(  # what stands behind a text and is of those who wrote it; run into its paragraph or a heading
    r"\W*(?:competing interests?|declarations? of interests?|acknowledge?ments?|author contributions?|about the authors?)\s*(?:[:.]|$)",
    regex.IGNORECASE,
)
ADDRESSES = regex.compile(r"(?:to|from|cc|date|subject|re)\s*:", regex.IGNORECASE)  # fields ahead of a letter
RUNNING = ("heading", "paragraph", "caption", "note")  # kinds of passages whose text is sentences, or heads them


def found(state: ResearchState, question: SubQuestion) -> list[Hit]:
    """The passages found for a question, best first by reciprocal rank over all queries; those a person brought stand first."""
    queries = {q.text for q in state.queries if q.question == question.id}
    scores: dict[str, float] = {}
    for find in (f for f in state.finds if f.query in queries):
        scores[find.passage] = scores.get(find.passage, 0.0) + 1.0 / (FUSION + find.rank)
    searched = {f.passage for f in state.finds}
    held = {p.id: p for p in state.firm}
    brought = [p for p in held if p not in searched]
    ranked = [*brought, *sorted(held.keys() & scores.keys(), key=lambda p: (-scores[p], p))]
    ranked = ranked[: state.budget.fills([len(held[p].text) for p in ranked])]
    return [Hit(passage=held[p], score=scores.get(p, 1.0), rank=n) for n, p in enumerate(ranked, 1)]


def first_queries(question: SubQuestion) -> list[Query]:
    """An open question is asked whole, without what facts beside it answer, of each thing that it names and of each of its topics."""
    texts = [question.text, *filter(None, [question.remainder]), *(about(t, question) for t in question.things)]
    texts += topics(question).values()
    return [Query(text=text, question=question.id, reason="question") for text in dict.fromkeys(texts)]


def topics(question: SubQuestion, texts: Sequence[str] = ()) -> dict[str, str]:
    """What an open question, or what no fact answers of it, asks about side by side, each with the question asked of it alone.

    Of a comparison the things, as these texts name them; where it names what it compares them by, its table has them.
    """
    if question.form != "comparison":
        return asking.of_each(question.remainder or question.text)
    spoken, things = "\n".join(texts), () if question.attributes else question.things
    return {as_said(thing, spoken, things): about(thing, question) for thing in things}


def about(thing: str, question: SubQuestion) -> str:
    """The question asked of one of the things that it names."""
    return f"{thing}: {question.text}"


def choice(reader: Reader, question: SubQuestion, hits: Sequence[Hit], characters: int) -> list[Chosen]:
    """The quotations that belong in the report, and where none of them comes near to the question those that do; of a question beside
    facts those on what is left to it first, in what room is left those on the whole of it. A topic that they leave nearly out has the
    best on it beside them.
    """
    first = stating(reader.choose(question.remainder, hits, characters)) if question.remainder else []
    chosen = stating(reader.choose(question.text, hits, characters))
    if not question.remainder and not comes_near(
        reader, question, [describing.titled(s) for c in chosen for s in c.sentences]
    ):
        nearest = stating(reader.nearest(question.text, hits, characters))
        return nearest or chosen[: thresholds.SHIPPED.least_chosen]
    chosen = _filled(first, remaining(chosen, [place_of(c) for c in first]), characters) if first else chosen
    beside = _on_topics(reader, question, hits, chosen, characters)
    beside = _filled([], beside, characters)
    room = characters - sum(len(c.text) for c in beside)
    return [*_filled([], chosen, room), *beside] if beside else chosen


def _on_topics(
    reader: Reader, question: SubQuestion, hits: Sequence[Hit], chosen: Sequence[Chosen], characters: int
) -> list[Chosen]:
    """For each topic that what was chosen leaves nearly out the best on it, where that belongs in the report no less surely than the
    least of what was chosen; of a thing that is compared the best of the passages that name it, in any case.
    """
    compared = question.form == "comparison"
    least = -math.inf if compared else min((c.score for c in chosen), default=0.0)
    named = topics(question, [text for hit in hits for text in (hit.passage.source.title, hit.passage.text)])
    found: list[Chosen] = []
    for number, (topic, asked) in enumerate(named.items()):
        spoken = [outline.on(c, list(named), compared) for c in chosen]
        lacking = outline.PER_SECTION - sum(own == [number] if compared else number in own for own in spoken)
        if lacking > 0:
            own = [h for h in hits if names_thing(h.passage.text, topic)] if compared else hits
            others = stating(reader.choose(asked, own, characters))
            others = remaining(others, [place_of(c) for c in (*chosen, *found)])
            fit = (c for c in others if c.score >= least and number in outline.on(c, list(named), compared))
            found += list(fit)[:lacking]
    return found


def _filled(first: Sequence[Chosen], others: Sequence[Chosen], characters: int) -> list[Chosen]:
    """Quotations, and of others those that fit in what room is left."""
    kept = list(first)
    for piece in others:
        if sum(len(c.text) for c in (*kept, piece)) <= characters:
            kept.append(piece)
    return kept


def comes_near(reader: Reader, question: SubQuestion, texts: Sequence[str]) -> bool:
    """Whether one of the texts speaks of what the question, or a clause of it, asks about."""
    return any(reader.is_near(clause, texts) for clause in describing.asking(question.text))


def stating(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations without what says nothing of anything: titles and captions that stand among the sentences of a text."""
    return remaining(chosen, [place_of(s) for c in chosen for s in c.sentences if _is_label(s)])


def _is_label(sentence: Sentence) -> bool:
    """Whether a text's words say who wrote it, when and for whom, or no mark ends them and they are what heads it or no verb makes a
    clause of them; items of a list, rows and code are none.
    """
    heads = (sentence.passage.source.title, *sentence.passage.path)
    is_field = sentence.passage.kind == "field" and ADDRESSES.match(sentence.text) is not None
    if is_field or any(BACK_MATTER.match(text) for text in (sentence.text, *sentence.passage.path[-1:])):
        return True
    is_ended = sentence.text.rstrip(CLOSING)[-1:] in ENDS
    if sentence.passage.kind not in RUNNING or is_ended:
        return False
    return _bare(sentence.text) in map(_bare, heads) or not speech.is_clause(sentence.text)


def _bare(text: str) -> str:
    return text.strip(CLOSING + "#").casefold()
