"""Questions to be answered by yes or no: such a question is a claim, and sentences that speak of it say it or contradict it.

Only a sentence that names all that the question names, holds enough of its words and replies to no other question is judged, by the
model's verdict slot; the number from which it decides is the model's own (`Numbers.says`). What is asked with a bound ("more than
1,000") is judged with each figure of a sentence in the bound's place, and arithmetic decides. "Are X and Y both mills?" is a claim of
each, and holds where both hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from itertools import takewhile
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.copies import clusters
from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.types import Passage

from . import speech
from .asking import coordinations
from .computing import Relation
from .denials import denials
from .evidence_text import content, sentences_of
from .figures import Figure, agree, date_places, figures
from .matching import RELATIONS
from .numbers import Numbers
from .premises import share
from .questions import claimed
from .replies import is_for_another
from .sentences import Sentence, Where, place_of, shares_words
from .standing import counted
from .state import Side, Writer
from .wording import words

EACH = "both"
SUPPOSING = frozenset(("if", "whether", "unless"))  # what they open is supposed or asked, not said
BEHIND = 2  # words behind a figure among which the thing counted stands
_OF_ONE = {"are": "is", "were": "was", "do": "does", "have": "has"}


class Judged(NamedTuple):
    """A sentence that says (`for`) or contradicts (`against`) the claim of number `claim`, and how probable that is; one that speaks of
    it and does not decide has no side.
    """

    side: Side
    sentence: Sentence
    claim: int
    probability: float


def claims(question: str) -> list[str]:
    """The claims that must all hold for a yes: one, or one of each thing that `EACH` joins; none of another question."""
    whole = claimed(question)
    groups = coordinations(whole) if EACH in whole.casefold().split() else []
    if len(groups) != 1:
        return [whole] if whole else []
    first, last = groups[0][0].start, groups[0][-1].end
    said = [f"{whole[:first]}{thing.text}{whole[last:]}".split() for thing in groups[0]]
    kept = [[w for w in words if w.casefold() != EACH] for words in said]
    return [" ".join([_OF_ONE.get(first, first), *rest]) for first, *rest in kept]


def judged(
    writer: Writer, numbers: Numbers, question: str, passages: Sequence[Passage], studies: Set[str] = frozenset()
) -> list[Judged]:
    """The sentences that decide, the surest first; where none does, those that speak of it. None without a fitted number.

    Sentences of sources that are `studies` only speak of it: what the model takes for their answer is seldom enough theirs
    (`workflows.evaluation.measure_polar`). Whether a figure of theirs lies within a bound is arithmetic.
    """
    found: list[Judged] = []
    for number, claim in enumerate(claims(question) if numbers.says else []):
        limit = bound(claim)
        asked = f"{claim[: limit.start]}{claim[limit.end :]}" if limit else claim
        spoken = [s for p in passages for s in _sentences(p, claim) if _is_about(asked, s, numbers)]
        if limit:
            found += _bounded(writer, numbers, number, claim, limit, spoken)
        else:
            judgements = _of_one(writer, numbers, number, claim, spoken)
            found += [j._replace(side="") if j.sentence.passage.source.id in studies else j for j in judgements]
    decided = [j for j in found if j.side]
    return sorted(decided or found, key=lambda j: -j.probability)


class Bound(NamedTuple):
    """claim[start:end] bounds a figure: "more than 1,000" is `above` the figure 1,000."""

    relation: Relation
    limit: Figure
    start: int
    end: int

    def side(self, text: str, figure: Figure) -> Side:
        """`for` where all that a figure of a text may be lies within the bound, `against` where none of it does, else ""."""
        wanted, said = _reach(self.relation, self.limit), _reach(_bounding(text, figure)[0], figure)
        if said.low >= wanted.low and said.high <= wanted.high:
            return "for"
        return "against" if _is_apart(said, wanted) or _is_apart(wanted, said) else ""


class Reach(NamedTuple):
    """What a figure may be: from `low` (with 1 where that itself is left out) to `high` (with 0 where that is)."""

    low: tuple[float, int]
    high: tuple[float, int]


def _reach(relation: Relation, figure: Figure) -> Reach:
    least, most = (-math.inf, 0), (math.inf, 0)
    return {
        "is": Reach((figure.low, 0), (figure.high, 1)),
        "above": Reach((figure.high, 1), most),
        "from": Reach((figure.low, 0), most),
        "below": Reach(least, (figure.low, 0)),
        "to": Reach(least, (figure.high, 1)),
    }[relation]


def _is_apart(lower: Reach, upper: Reach) -> bool:
    """Whether the first ends before the second begins."""
    (end, has_end), (begin, lacks_begin) = lower.high, upper.low
    return end < begin or (end == begin and (not has_end or bool(lacks_begin)))


def _bounding(text: str, figure: Figure) -> tuple[Relation, int]:
    """What the words ahead of a figure make of it, and where they begin; it "is" the figure where they make nothing of it."""
    ahead = text[: figure.start].split()
    for length in (3, 2, 1):
        phrase = " ".join(ahead[-length:]).casefold()
        if len(ahead) > length and phrase in RELATIONS and phrase != "from":
            return RELATIONS[phrase], text.rindex(ahead[-length], 0, figure.start)
    return "is", figure.start


def bound(claim: str) -> Bound | None:
    """The one figure of a claim that words ahead of it make a bound; None where there is none, or several."""
    found = [(figure, *_bounding(claim, figure)) for figure in figures(claim)]
    bounds = [Bound(relation, figure, start, figure.end) for figure, relation, start in found if relation != "is"]
    return bounds[0] if len(bounds) == 1 else None


def _bounded(
    writer: Writer, numbers: Numbers, number: int, claim: str, limit: Bound, spoken: Sequence[Sentence]
) -> list[Judged]:
    """The model says whether a sentence gives one of its figures for what is bounded; whether that lies within is arithmetic.

    "Is there one of more than 50?" is not contradicted by one of 16.
    """
    exists = claim.split()[1:2] == ["there"]
    asked = [
        (sentence, figure, f"{claim[: limit.start]}{figure.text}{claim[limit.end :]}")
        for sentence in spoken
        for figure in figures(sentence.text)
        if _is_of_one_kind(claim, limit.limit, sentence.text, figure)
    ]
    verdicts = writer.verdicts([(c, f"{s.passage.source.title}. {s.text}") for s, _, c in asked]) if asked else []
    best: dict[Where, Judged] = {}
    for (sentence, figure, _), verdict in zip(asked, verdicts, strict=True):
        side = limit.side(sentence.text, figure)
        side = "" if exists and side == "against" else side
        here = Judged(side if verdict.supports >= numbers.says else "", sentence, number, verdict.supports)
        known = best.get(place_of(sentence))
        if verdict.supports > verdict.refutes and (known is None or known.probability < here.probability):
            best[place_of(sentence)] = here
    return list(best.values())


def _is_of_one_kind(claim: str, limit: Figure, text: str, figure: Figure) -> bool:
    """Whether two figures can be compared: one unit or the same thing counted; a bare number, as a year, of as many digits."""
    if limit.unit or figure.unit:
        return (figure.unit, figure.dimension) == (limit.unit, limit.dimension)
    if counted := tokens(claim[limit.end :])[:1]:
        return counted[0] in tokens(text[figure.end :])[:BEHIND]
    return figure.form == limit.form and len(figure.text) == len(limit.text)


def _of_one(writer: Writer, numbers: Numbers, number: int, claim: str, spoken: Sequence[Sentence]) -> list[Judged]:
    texts = [f"{s.passage.source.title}. {s.text}" for s in spoken]
    verdicts = writer.verdicts([(claim, text) for text in texts]) if texts else []
    denying = denials(writer, numbers, claim, [s.text for s in spoken])
    speaking = [
        (sentence, denies or v.refutes > v.supports)
        for sentence, v, denies in zip(spoken, verdicts, denying, strict=True)
        if v.supports + v.refutes >= numbers.says
    ]
    found: list[Judged] = []
    for sentence, verdict, denies in zip(spoken, verdicts, denying, strict=True):
        is_against = denies or verdict.refutes > verdict.supports
        if _is_outweighed(claim, sentence, [s for s, other in speaking if other != is_against]):
            found.append(Judged("", sentence, number, verdict.supports + verdict.refutes))
        elif verdict.refutes >= numbers.says or denies:
            found.append(Judged("against", sentence, number, max(verdict.refutes, verdict.supports * denies)))
        elif verdict.supports >= numbers.says and _has_figures(claim, sentence.text):
            found.append(Judged("for", sentence, number, verdict.supports))
        elif verdict.supports + verdict.refutes >= numbers.says:
            found.append(Judged("", sentence, number, verdict.supports + verdict.refutes))
    return found


def _is_outweighed(claim: str, sentence: Sentence, others: Sequence[Sentence]) -> bool:
    """Whether its own source has a sentence that leans otherwise and holds more of the claim: a source rarely contradicts itself.

    "Buffers did not reduce phosphorus" does not contradict that they reduce nitrate where the source says that they do.
    """
    held = share(claim, sentence.text)
    same = (s for s in others if s.passage.source.id == sentence.passage.source.id)
    return any(share(claim, other.text) > held for other in same)


def _sentences(passage: Passage, claim: str) -> list[Sentence]:
    """The sentences of a passage that may decide: no replies to another question."""
    places = [] if passage.kind == "byline" else sentences_of(passage)
    own = [place for place in places if not is_for_another(passage, places, place[0], claim)]
    return [Sentence(passage, start, end, rank=1) for start, end in own]


def _is_about(claim: str, sentence: Sentence, numbers: Numbers) -> bool:
    """Whether a sentence, with the title of its source, names what the claim names and a word of what it is about, and holds enough of
    its other words itself.

    Figures and dates are no such words: a sentence that has others may contradict.
    """
    names = [claim[s:e] for s, e, kind in typed_spans(claim) if kind is MaskKind.ENTITY]
    titled = content(f"{sentence.passage.source.title} {sentence.text}")
    apart = [*names, *(f.text for f in figures(claim)), *(claim[s:e] for s, e in date_places(claim))]
    other = " ".join(sorted(content(claim) - set().union(*map(content, apart))))
    about = content(_subject(claim))
    is_named = all(content(n) <= titled for n in names) and (not about or bool(about & titled))
    is_told = SUPPOSING.isdisjoint(words(sentence.text)) or not SUPPOSING.isdisjoint(words(claim))
    return is_told and is_named and share(other or claim, sentence.text) >= numbers.says_words


_OF_SUBJECTS = frozenset(
    ("AT", "AJ", "CR", "NN", "NP", "OR", "UN", "ZZ")
)  # how parts of speech begin that stand in a subject


def _subject(claim: str) -> str:
    """What a claim is about: of "do barges carry salt." the barges."""
    tokens = speech.tokens(claim)[1:]
    row = list(takewhile(lambda pair: pair[1][:2] in _OF_SUBJECTS, zip(tokens, speech.tags(tokens), strict=True)))
    end = max((n for n, (_, tag) in enumerate(row, 1) if tag[:1] == "N"), default=0)
    return " ".join(token for token, _ in row[:end])


def _has_figures(claim: str, text: str) -> bool:
    """Whether a text has every figure and date of a claim: without them it cannot say it."""
    held, days = figures(text), [text[s:e] for s, e in date_places(text)]
    dates = all(any(content(claim[s:e]) <= content(day) for day in days) for s, e in date_places(claim))
    years = {word for day in days for word in content(day.replace("-", " "))}
    return dates and all(f.text in years or any(agree(f, other) for other in held) for f in figures(claim))


def sides(decisive: Sequence[Judged], places: Sequence[Where]) -> list[Side]:
    """Which way the quotation at each place decides; "" of one that decides nothing, or both."""
    held: list[set[Side]] = [
        {j.side for j in decisive if shares_words(place_of(j.sentence), place)} for place in places
    ]
    return [side.pop() if len(side) == 1 else "" for side in held]


YES, NO = "It reads as yes", "It reads as no"


def read_as(verdict: str) -> str:
    """ "yes" or "no", as an answer in words begins; "" where it is neither."""
    return "yes" if verdict.startswith(YES) else "no" if verdict.startswith(NO) else ""


class Answer(NamedTuple):
    """What is said, and the sentences that it was read from."""

    text: str
    read: tuple[Sentence, ...]


def answer(question: str, decisive: Sequence[Judged]) -> Answer:
    """The answer in words, with how many independent sources say it and how many contradict it; "" where it is not decided."""
    asked = range(len(claims(question)))
    ours = [[j.sentence for j in decisive if j.claim == n and j.side == "for"] for n in asked]
    theirs = [[j.sentence for j in decisive if j.claim == n and j.side == "against"] for n in asked]
    if disputed := next(((o, t) for o, t in zip(ours, theirs, strict=True) if o and t), None):
        said, denied = disputed
        told = f"It reads both ways: {_who(said)} {_verb('say', said)} it, {_who(denied)} {_verb('contradict', denied)} it."
        return Answer(told, (*said, *denied))
    if denied := max(theirs, key=_count, default=[]):
        of = " of one of them" if len(theirs) > 1 else ""
        told = f"{NO}: {_who(denied)} {_verb('contradict', denied)} it{of}, and none was read as saying it{of}."
        return Answer(told, tuple(denied))
    if ours and all(ours):
        fewest, each = min(ours, key=_count), " of each" if len(ours) > 1 else ""
        told = f"{YES}: {_who(fewest)} {_verb('say', fewest)} it{each}, and none was read as contradicting it."
        return Answer(told, tuple(s for said in ours for s in said))
    return Answer("", ())


def _verb(verb: str, sentences: Sequence[Sentence]) -> str:
    return f"{verb}s" if _count(sentences) == 1 else verb


def _count(sentences: Sequence[Sentence]) -> int:
    return len(set(clusters([s.passage for s in sentences]).values()))


def _who(sentences: Sequence[Sentence]) -> str:
    return counted(_count(sentences))
