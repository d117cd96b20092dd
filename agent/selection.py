"""Which sentences of the passages found a report is made of: told apart, taken by score, and stopped in time.

Plain steps: `sentences_of` cuts the passages, `describing.described` gives every sentence numbers that mean the same for every
question, `weighing.scores` weighs them twice, the second time with what the first said of the sentences around it and of those like
it, and `select` takes sentences by score until what is left is not worth its characters. Without weights nothing is selected by
guess: the caller must have some.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import dropwhile, groupby
from operator import itemgetter

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import table_id
from palimpsest.retrieval.types import Hit, Passage

from . import speech, thresholds
from .asking import FUNCTION_WORDS
from .matching import numbers_of
from .replies import replied_to
from .wording import asks, denies, leans, opens_with_another, opens_with_this, takes_up

Matrix = NDArray[np.float64]
Vectors = NDArray[np.float32]
Split = Callable[[str], Sequence[tuple[int, int]]]  # a text to the [start, end) of its sentences

LEAST_NAME = 3  # words of a name that may be shortened by one
LEAST_CLAUSE = 4  # words, the question mark among them
MANY_CLAUSES = 8  # of a question that are held against sentences; each is an embedding
_PLAIN_WORD = regex.compile(r"\w+(?:[.,]\d+)*")
_CLAUSE_END = regex.compile(r"(?<=[,:;?.])\s+")
FEW_ROWS = 3  # of a table none of whose rows a question names
_TITLE_PARTS = regex.compile(r"\s+[–—-]\s+|[:;,()\[\]|]")
LEAST_CHARACTERS = 25  # what is shorter states nothing: a heading, a label
MANY_LABEL_WORDS = 4
MANY_CHARACTERS = 700  # what is longer is no sentence but a block that could not be parted


@dataclass(frozen=True)
class Sentence:
    """A sentence of a passage found: the source's text[start:end]. `rank` is that of its passage among those found, from 1, `score`
    that by which it was chosen; none of its own has one that only stands ahead of what leans on it.
    """

    passage: Passage
    start: int
    end: int
    rank: int
    score: float = field(default=-math.inf, compare=False)

    @property
    def text(self) -> str:
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Scored:
    """A sentence, the score by which it is chosen, and its vector of length 1."""

    sentence: Sentence
    score: float
    vector: Vectors


@dataclass(frozen=True)
class Chosen:
    """A quotation of the report: neighbouring sentences of one source. `also` are sentences of others that say the same."""

    sentences: tuple[Sentence, ...]
    score: float
    also: tuple[Sentence, ...] = ()

    @property
    def start(self) -> int:
        return self.sentences[0].start

    @property
    def end(self) -> int:
        return self.sentences[-1].end

    @property
    def text(self) -> str:
        """The source's text[start:end]; all its sentences stand in one passage."""
        passage = self.sentences[0].passage
        return passage.text[self.start - passage.start : self.end - passage.start]


Where = tuple[str, int, int]  # the id of a source, and the [start, end) of its characters


def place_of(piece: Chosen | Sentence) -> Where:
    passage = piece.passage if isinstance(piece, Sentence) else piece.sentences[0].passage
    return passage.source.id, piece.start, piece.end


def shares_words(one: Where, other: Where) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def overlapping(one: Chosen, other: Chosen) -> bool:
    """Whether two quotations share words of a source."""
    return shares_words(place_of(one), place_of(other))


def remaining(chosen: Sequence[Chosen], taken: Sequence[Where]) -> list[Chosen]:
    """The quotations without the sentences that share words with a place `taken`; what is left of one stands by itself.

    A sentence that leans on one that is gone goes too, and so does a heading run into its paragraph that is left with nothing.
    """
    found: list[Chosen] = []
    for piece in chosen:
        if not any(shares_words(place_of(piece), place) for place in taken):
            found.append(piece)
            continue
        is_taken = [any(shares_words(place_of(s), place) for place in taken) for s in piece.sentences]
        runs = (
            list(run) for gone, run in groupby(zip(piece.sentences, is_taken, strict=True), itemgetter(1)) if not gone
        )
        before = dict(zip(piece.sentences[1:], piece.sentences, strict=False))
        needing = {s for s in piece.sentences if _needs(s, before.get(s))}
        whole = (list(dropwhile(needing.__contains__, (s for s, _ in run))) for run in runs)
        found += [part_of(piece, sentences) for run in whole if (sentences := _without_head(run))]
    return found


def _without_head(sentences: Sequence[Sentence]) -> Sequence[Sentence]:
    """Sentences without a last one that heads what is gone: "Shade." """
    return sentences[:-1] if sentences and heads_paragraph(sentences[-1]) else sentences


def _needs(sentence: Sentence, before: Sentence | None) -> bool:
    """Whether a sentence leans on the one before it, or takes up what that brings in."""
    return leans(sentence.text) or (before is not None and takes_up(sentence.text, before.text))


def part_of(piece: Chosen, sentences: Sequence[Sentence]) -> Chosen:
    """Some sentences of a quotation, with those of other sources that say the same as them."""
    found = Chosen(tuple(sentences), piece.score)
    return replace(found, also=tuple(s for s in piece.also if _has_its_words(found.text, s.text)))


def _has_its_words(text: str, other: str) -> bool:
    """Whether most words of another text, and as many denials, stand in a text, which may say more."""
    words = set(_plain(other))
    return len(words & set(_plain(text))) >= thresholds.SHIPPED.same_words * len(words) and denies(text) == denies(
        other
    )


def sentences_of(found: Sequence[Hit], split: Split) -> list[Sentence]:
    """The sentences of the passages found, best passage first; what a source says twice in the same words is a sentence once."""
    kept: dict[tuple[str, str], Sentence] = {}
    for rank, hit in enumerate(found, start=1):
        if hit.passage.kind == "byline":
            continue
        for place, end in _places(hit.passage, split):
            start = _without_label(hit.passage, place, end)
            if LEAST_CHARACTERS <= end - start <= MANY_CHARACTERS:
                sentence = Sentence(hit.passage, start, end, rank)
                kept.setdefault((hit.passage.source.id, sentence.text), sentence)
    return list(kept.values())


def _without_label(passage: Passage, start: int, end: int) -> int:
    """Where the sentence begins behind a line of its own that is only a label: "Conclusions" above the first sentence."""
    line, *rest = passage.text[start - passage.start : end - passage.start].split("\n", 1)
    is_label = bool(rest) and len(line.split()) <= MANY_LABEL_WORDS and line[-1:].isalpha() and rest[0][:1].isupper()
    return start + len(line) + 1 if is_label else start


def _places(passage: Passage, split: Split) -> Sequence[tuple[int, int]]:
    if passage.sentences:
        return passage.sentences
    return [(passage.start + start, passage.start + end) for start, end in split(passage.text)]


JOINED = 2  # characters that may lie between two sentences of one quotation


Whole = Callable[
    [Sentence], Sequence[Sentence]
]  # a sentence with those it has to be quoted with; none where it cannot be quoted


def alone(sentence: Sentence) -> Sequence[Sentence]:
    return (sentence,)


def select(
    candidates: Sequence[Scored], budget_characters: int, stop: float, thrift: float = 0.0, whole: Whole = alone
) -> list[Chosen]:
    """The quotations of a report, best first: likely sentences while they fit, neighbours joined, repetitions set beside.

    Left out is what is less than `stop` times as likely as the mean of the best or hardly likely at all, what cannot be quoted, and of
    statements that are a source of their own what is near to one that was taken; taking stops at the first sentence that is, with all
    it is quoted with, too long for what is left of the budget. With `thrift` short sentences come before long ones that are about as
    likely.
    """
    taken: list[Scored] = []
    beside: dict[int, list[Sentence]] = {}
    quoted: dict[Where, int] = {}  # the places of what is quoted, and how long each is
    for candidate in sorted(_likely(candidates, stop), key=lambda c: -_worth(c, thrift)):
        twin = next((n for n, other in enumerate(taken) if says_the_same(candidate, other)), None)
        if twin is not None:
            beside.setdefault(twin, []).append(candidate.sentence)
        elif any(repeats(candidate, other) for other in taken):
            continue
        elif parts := {place_of(s): s.length for s in whole(candidate.sentence)}:
            if sum((quoted | parts).values()) > budget_characters:
                break
            taken.append(candidate)
            quoted |= parts
    return _quotations(taken, beside)


def _likely(candidates: Sequence[Scored], stop: float) -> list[Scored]:
    """Those that are worth their characters, likeliest first: a few at least."""
    least = _least(candidates, stop)
    few = thresholds.SHIPPED.least_chosen
    return [c for n, c in enumerate(_ordered(candidates)) if n < few or _probability(c) >= least]


def _worth(candidate: Scored, thrift: float) -> float:
    """The logarithm of its probability over its characters to the power of `thrift`."""
    return -float(np.logaddexp(0.0, -candidate.score)) - thrift * math.log(candidate.sentence.length)


def telling(question: str, candidates: Sequence[Scored]) -> list[Scored]:
    """Without rows of tables that are near to a question for the names of their columns alone, which all rows of a table share.

    Rows one of whose cells the question names stand for their table; where there are none, the best few do.
    """
    asked = set(tokens(question))
    kept: dict[str, set[Where]] = {}
    rows = [c for c in _ordered(candidates) if c.sentence.passage.kind == "row"]
    for named, most in ((True, len(rows)), (False, FEW_ROWS)):
        of_table: dict[str, list[Scored]] = {}
        for row in rows:
            if _is_named(row.sentence, asked) == named:
                of_table.setdefault(table_id(row.sentence.passage), []).append(row)
        for table, found in of_table.items():
            kept.setdefault(table, {place_of(row.sentence) for row in found[:most]})
    places = set().union(*kept.values())
    return [c for c in candidates if c.sentence.passage.kind != "row" or place_of(c.sentence) in places]


def _is_named(row: Sentence, asked: set[str]) -> bool:
    """Whether all words of one of a row's cells are asked about; figures name no row."""
    passage = row.passage
    cells = (c for c in passage.cells if row.start <= c.start and c.end <= row.end)
    texts = (passage.text[c.start - passage.start : c.end - passage.start] for c in cells)
    return any(asked.issuperset(tokens(text)) for text in texts if _may_name(text))


def _may_name(text: str) -> bool:
    return any(map(str.isalpha, text)) and not FUNCTION_WORDS.issuperset(tokens(text))


def _ordered(candidates: Sequence[Scored]) -> list[Scored]:
    return sorted(candidates, key=lambda c: (-c.score, c.sentence.passage.id, c.sentence.start))


def _least(candidates: Sequence[Scored], stop: float) -> float:
    """The probability below which a sentence is not worth its characters: in a folder of short notes on one topic none may be
    likely, and a share of the best tells what belongs; where these hardly do, it would take all that was read.
    """
    best = _ordered(candidates)[: thresholds.SHIPPED.best]
    mean = float(np.mean([_probability(c) for c in best])) if best else 0.0
    least = thresholds.SHIPPED.least_likely
    if mean >= thresholds.SHIPPED.fair:
        least = min(least, thresholds.SHIPPED.least_share * mean)
    return max(stop * mean, least)


def _probability(candidate: Scored) -> float:
    return 1.0 / (1.0 + math.exp(-candidate.score))


def says_the_same(one: Scored, other: Scored) -> bool:
    """Near in meaning, with the same names, figures and logical words: one "not" or another figure makes another statement."""
    if (
        float(one.vector @ other.vector) < thresholds.SHIPPED.alike
        or one.sentence.passage.source.id == other.sentence.passage.source.id
    ):
        return False
    texts = one.sentence.text, other.sentence.text
    return all(_marks(text) <= set(_plain(second)) for text, second in (texts, texts[::-1]))


def repeats(one: Scored, other: Scored) -> bool:
    """Whether two sources that are one statement each make the same point in other words; a denial or another figure makes another.

    Of longer texts no such thing is assumed: there sentences as near to each other mostly state different facts.
    """
    return (
        _stands_alone(one.sentence)
        and _stands_alone(other.sentence)
        and float(one.vector @ other.vector) >= thresholds.SHIPPED.same_point
        and denies(one.sentence.text) == denies(other.sentence.text)
        and _figures(one.sentence.text) == _figures(other.sentence.text)
    )


def _figures(text: str) -> set[str]:
    return {text[start:end].casefold() for start, end, kind in typed_spans(text) if kind is MaskKind.NUMBER}


def _stands_alone(sentence: Sentence) -> bool:
    """Whether a sentence is all of its passage."""
    passage = sentence.passage
    return sentence.start - passage.start <= JOINED and passage.start + len(passage.text) - sentence.end <= JOINED


def _marks(text: str) -> set[str]:
    return {word for start, end, _ in typed_spans(text) for word in _plain(text[start:end])}


def _plain(text: str) -> list[str]:
    found: list[str] = _PLAIN_WORD.findall(text.casefold())
    return found


def _quotations(taken: Sequence[Scored], beside: Mapping[int, Sequence[Sentence]]) -> list[Chosen]:
    """Runs of neighbouring sentences, in the order of the best sentence of each."""
    place = {id(candidate): n for n, candidate in enumerate(taken)}
    runs: list[list[Scored]] = []
    for candidate in sorted(taken, key=lambda c: (c.sentence.passage.source.id, c.sentence.start)):
        if runs and _touch(runs[-1][-1].sentence, candidate.sentence) and _length(runs[-1]) < MANY_CHARACTERS:
            runs[-1].append(candidate)
        else:
            runs.append([candidate])
    runs.sort(key=lambda run: min(place[id(c)] for c in run))
    return [
        Chosen(
            sentences=tuple(replace(c.sentence, score=c.score) for c in run),
            score=max(c.score for c in run),
            also=tuple(s for c in run for s in beside.get(place[id(c)], ())),
        )
        for run in runs
    ]


def _length(run: Sequence[Scored]) -> int:
    return run[-1].sentence.end - run[0].sentence.start


def _touch(one: Sentence, other: Sentence) -> bool:
    """Whether two sentences follow each other in one paragraph of one passage."""
    if one.passage.id != other.passage.id or not 0 <= other.start - one.end <= JOINED:
        return False
    start = one.passage.start
    return "\n\n" not in one.passage.text[one.end - start : other.start - start]


MANY_HEADING_WORDS = 6  # words of a heading run into its paragraph
REACH = 2  # sentences that may be taken before one that leans on them
COLON = ":"
SPOKEN = ("paragraph", "item")  # kinds of passages whose sentences bring in one another


def quoted_with(sentence: Sentence, split: Split) -> Sequence[Sentence]:
    """A sentence with those that it cannot stand without; none where it states nothing: it asks, replies to a question that is not known,
    speaks of somebody whom nothing that can be quoted with it names, or of a "this" that the passage before speaks of, or ends in a
    colon that the passage ends at.
    """
    found = standing(Chosen((sentence,), 0.0), split).sentences
    is_torn = replied_to(found[0].passage, _places(found[0].passage, split), found[0].start) == ""
    is_cut = found[0].passage.before is not None and found[0].start == found[0].passage.start
    is_nobodys = (len(found) == 1 and opens_with_another(sentence.text)) or (is_cut and opens_with_this(found[0].text))
    is_open = found[-1].text.endswith(COLON)
    return () if is_nobodys or is_torn or is_open or asks(sentence.text) else found


def standing(chosen: Chosen, split: Split) -> Chosen:
    """The quotation with the sentence before it where its opening leans on that one, and with what its last sentence brings in; nothing
    is rewritten.
    """
    for _ in range(REACH):
        first = chosen.sentences[0]
        earlier = [p for p in _places(first.passage, split) if p[1] <= first.start and first.start - p[1] <= JOINED]
        if not earlier:
            break
        before = Sentence(first.passage, *earlier[-1], rank=first.rank)
        replies = replied_to(first.passage, _places(first.passage, split), first.start)
        if asks(first.text) or not (replies or _needs(first, before) or heads_paragraph(before)):
            break  # a question heads what follows it
        chosen = Chosen((before, *chosen.sentences), chosen.score, chosen.also)
    return replace(chosen, sentences=(*chosen.sentences, *_announced(chosen.sentences[-1], split)))


def _announced(sentence: Sentence, split: Split) -> Iterator[Sentence]:
    """What a sentence that ends in a colon brings in: the one behind it and, of a list, each that is a line or paragraph of its own."""
    passage = sentence.passage
    behind = [p for p in _places(passage, split) if p[0] >= sentence.end]
    if not sentence.text.endswith(COLON) or passage.kind not in SPOKEN:
        return
    ends = (sentence.end, *(end for _, end in behind))
    opens = ["\n" in passage.text[e - passage.start : p[0] - passage.start] for e, p in zip(ends, behind, strict=False)]
    for number, place in enumerate(behind):
        is_item = opens[number] and (number + 1 == len(behind) or opens[number + 1])
        if number and not is_item:
            return
        yield Sentence(passage, *place, rank=sentence.rank)
        if not is_item:
            return


def heads_paragraph(sentence: Sentence) -> bool:
    """Whether a sentence is a heading run into its paragraph: a few words ahead of all others, without a verb: "Heel pain." """
    text, start = sentence.passage.text, sentence.start - sentence.passage.start
    end = sentence.end - sentence.passage.start
    opens = not text[:start].strip(" ") or text[:start].rstrip(" ").endswith("\n\n")
    goes_on = text[end:].strip() and "\n\n" not in text[end : end + JOINED + 1]
    is_few = len(sentence.text.split()) <= MANY_HEADING_WORDS and sentence.passage.kind in ("paragraph", "item")
    return bool(opens and goes_on and is_few) and not speech.is_clause(sentence.text)


def speaks_of(thing: str, sentence: Sentence, others: Sequence[str], told: str) -> bool:
    """Whether a sentence names a thing, or names none of the others and stands under words about the thing.

    Of what stands above it the nearest that names any of them counts, where that names the thing alone. A title that holds the word
    may be of something else, "The Quill and the Keyboard" of no software: it is the thing's name, or the text of its source, `told`,
    speaks of the thing too.
    """
    if names_thing(sentence.text, thing):
        return True
    apart = [other for other in others if not names_thing(thing, other)]
    if any(names_thing(sentence.text, other) for other in apart):
        return False
    heads = (*reversed(sentence.passage.path), sentence.passage.source.title)
    nearest = next((h for h in heads if any(names_thing(h, one) for one in (thing, *apart))), "")
    is_alone = names_thing(nearest, thing) and not any(names_thing(nearest, other) for other in apart)
    return is_alone and (_is_its_name(nearest, thing) or names_thing(told, thing))


def _is_its_name(title: str, thing: str) -> bool:
    """Whether a title, or what stands ahead of or behind a mark in it, has no words but the thing's."""
    wanted = set(tokens(thing))
    pieces = (set(tokens(piece)) - FUNCTION_WORDS for piece in _TITLE_PARTS.split(title))
    return any(piece and piece <= wanted for piece in pieces)


def names_thing(text: str, thing: str) -> bool:
    """Whether a text names it, one or several of its kind, as rows of tables are found by their names."""
    return _naming(thing).search(text) is not None


@lru_cache(maxsize=1024)
def _naming(thing: str) -> regex.Pattern:
    *ahead, last = thing.rpartition(" ")
    kinds = "|".join(map(regex.escape, numbers_of(last)))
    return regex.compile(rf"(?<![\w-]){regex.escape(''.join(ahead))}(?:{kinds})(?!\w)", regex.IGNORECASE)


def as_said(thing: str, text: str, others: Sequence[str]) -> str:
    """A thing as the evidence names it: whole, else without its first or last word where that still names it and no other."""
    if names_thing(text, thing):
        return thing
    words = thing.split()
    pieces = [" ".join(words[:-1]), " ".join(words[1:])]
    # "face-to-face" alone tells care from contacts and visits as no other single word does
    shorter = [piece for piece in pieces if len(words) >= LEAST_NAME or piece.count("-") > 1]
    apart = (s for s in shorter if not any(names_thing(other, s) for other in others if other != thing))
    return next((s for s in apart if names_thing(text, s)), thing)


def told_once(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations, those that share words made one, in the order of the best of them."""
    found: list[Chosen] = []
    for piece in chosen:
        shared = [n for n, other in enumerate(found) if overlapping(piece, other)]
        if not shared:
            found.append(piece)
            continue
        passage = found[shared[0]].sentences[0].passage.id
        whole = found[shared[0]]
        for other in (*(found[n] for n in shared[1:]), piece):
            whole = _union(whole, other) if other.sentences[0].passage.id == passage else whole
        found = [whole if n == shared[0] else other for n, other in enumerate(found) if n not in shared[1:]]
    return found


def _union(one: Chosen, other: Chosen) -> Chosen:
    by_start = {s.start: s for s in (*one.sentences, *other.sentences)}
    sentences = tuple(by_start[start] for start in sorted(by_start))
    return Chosen(sentences, max(one.score, other.score), (*one.also, *other.also))
