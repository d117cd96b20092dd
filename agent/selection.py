"""Which sentences of the passages found a report is made of: scored by fitted weights, told apart, and stopped in time.

Plain steps: `sentences_of` cuts the passages, `described` gives every sentence numbers that mean the same for every question,
`scores` weighs them twice, the second time with what the first said of the sentences around it and of those like it, and `select`
takes sentences by score until what is left is not worth its characters. The weights are fitted by
`palimpsest.workflows.evaluation.fit_selection`; without weights nothing is selected by guess: the caller must have some.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, groupby, pairwise
from operator import itemgetter

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import Field

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Frozen, Hit, Passage

from . import thresholds
from .wording import LinearText, denies, words

Matrix = NDArray[np.float64]
Vectors = NDArray[np.float32]
Split = Callable[[str], Sequence[tuple[int, int]]]  # a text to the [start, end) of its sentences

RESULT, CONCLUSION, METHOD = (
    "result",
    "conclusion",
    "method",
)  # labels of the classifier that tells the parts of an abstract
EFFECT, NO_EFFECT = "effect", "no effect"  # labels of the classifier that tells what a finding comes to
DOCUMENTS, FUTURE, OPINION = "documents", "future", "opinion"  # labels of the classifier of what documents can answer
LEAST_NAME = 3  # words of a name that may be shortened by one
LEAST_CLAUSE = 4  # words, the question mark among them
MANY_CLAUSES = 8  # of a question that are held against sentences; each is an embedding
_PLAIN_WORD = regex.compile(r"\w+(?:[.,]\d+)*")
_CLAUSE_END = regex.compile(r"(?<=[,:;?.])\s+")
LEAST_CHARACTERS = 25  # what is shorter states nothing: a heading, a label
MANY_LABEL_WORDS = 4
MANY_CHARACTERS = 700  # what is longer is no sentence but a block that could not be parted

FEATURES = (
    "cosine", "paragraph", "source", "centre", "before", "after", "agreement", "overlap", "paragraph_overlap",
    "title_overlap", "density", "rank", "sources_share", "first", "last", "place", "alone", "length", "short", "figures",
    "names", "asks", "contrast", "finding", "conclusion", "part", "depth", "titled", "titled_part", "titled_source", "relevance",
)  # fmt: skip
CONTEXT = (
    "score", "probability", "score_before", "score_after", "best_of_passage", "sum_of_passage", "best_of_source", "sum_of_source",
    "likely_centre", "likely_agreement", "likely_neighbours", "order",
)  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence of a passage found: the source's text[start:end]. `rank` is that of its passage among those found, from 1."""

    passage: Passage
    start: int
    end: int
    rank: int

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

    A sentence that leans on one that is gone goes too.
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
        whole = (list(dropwhile(lambda s: leans(s.text), (s for s, _ in run))) for run in runs)
        found += [Chosen(tuple(sentences), piece.score) for sentences in whole if sentences]
    return found


def sentences_of(found: Sequence[Hit], split: Split) -> list[Sentence]:
    """The sentences of the passages found, best passage first, each place of a source once."""
    kept: dict[tuple[str, int, int], Sentence] = {}
    for rank, hit in enumerate(found, start=1):
        for place, end in _places(hit.passage, split):
            start = _without_label(hit.passage, place, end)
            if LEAST_CHARACTERS <= end - start <= MANY_CHARACTERS:
                kept.setdefault((hit.passage.source.id, start, end), Sentence(hit.passage, start, end, rank))
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


def asking(question: str) -> list[str]:
    """The question and, where punctuation parts it, its clauses: a sentence may answer one of them alone."""
    clauses = [clause.strip() for clause in _CLAUSE_END.split(question)]
    return list(dict.fromkeys([question, *(c for c in clauses if len(words(c)) >= LEAST_CLAUSE)]))[: MANY_CLAUSES + 1]


@dataclass(frozen=True)
class Embedded:
    """Vectors of length 1: of the `asking` texts [m, d], the whole question first, of the sentences [n, d], and of the sentences
    with the title of their source ahead of them [n, d].
    """

    asked: Vectors
    alone: Vectors
    titled: Vectors


def titled(sentence: Sentence) -> str:
    """A sentence with the title of its source ahead: what "it" is about often stands there alone."""
    return f"{sentence.passage.source.title}. {sentence.text}"


def embedded(question: str, sentences: Sequence[Sentence], embed: Callable[[Sequence[str]], Vectors]) -> Embedded:
    return Embedded(embed(asking(question)), embed([s.text for s in sentences]), embed(list(map(titled, sentences))))


def described(
    question: str,
    sentences: Sequence[Sentence],
    vectors: Embedded,
    parts: LinearText,
    relevance: Sequence[float] | None = None,
) -> Matrix:
    """A row of `FEATURES` for each sentence [n, len(FEATURES)].

    `parts` tells by its wording whether a sentence states what was found, what it comes to, or what was meant to be done; `relevance`
    are probabilities of a model, of which the log-odds are taken; the column of a model that was not asked is NaN.
    """
    if not sentences:
        return np.zeros((0, len(FEATURES)))
    sources = [s.passage.source.id for s in sentences]
    near = (vectors.titled @ vectors.asked[0]).astype(np.float64)
    columns = {
        **_nearness(sentences, vectors.asked[0], vectors.alone),
        "part": (vectors.alone @ vectors.asked.T).max(axis=1).astype(np.float64),
        "titled": near,
        "titled_part": (vectors.titled @ vectors.asked.T).max(axis=1).astype(np.float64),
        "titled_source": _group_best(sources, near),
        **_wording(question, sentences),
        **_shape(sentences),
        **_findings(sentences, parts),
        "relevance": _log_odds(relevance, len(sentences)),
    }
    return np.column_stack([columns[name] for name in FEATURES])


def _log_odds(probabilities: Sequence[float] | None, count: int) -> Matrix:
    if probabilities is None:
        return np.full(count, np.nan)
    held = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(held / (1 - held)))


def _nearness(sentences: Sequence[Sentence], asked: Vectors, vectors: Vectors) -> dict[str, Matrix]:
    """How near a sentence, its surroundings and its like in other sources are to the question, as cosines."""
    cosine = (vectors @ asked).astype(np.float64)
    paragraph = _group_cosine([s.passage.id for s in sentences], asked, vectors)
    source = _group_best([s.passage.source.id for s in sentences], paragraph)
    weights = np.maximum(cosine, 0.0) ** thresholds.SHIPPED.centre_power
    before, after = _beside(sentences, cosine, cosine)
    return {
        "cosine": cosine,
        "paragraph": paragraph,
        "source": source,
        "centre": vectors @ _unit(weights @ vectors),
        "before": before,
        "after": after,
        "agreement": _agreement(sentences, vectors),
        "contrast": cosine - paragraph,
    }


def _unit(vector: Matrix) -> Matrix:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _group_cosine(groups: Sequence[str], asked: Vectors, vectors: Vectors) -> Matrix:
    """For each row the cosine of the question with the mean of its group's vectors."""
    means = {g: _unit(vectors[[i for i, other in enumerate(groups) if other == g]].mean(axis=0)) for g in set(groups)}
    return np.array([float(means[g] @ asked) for g in groups])


def _group_best(groups: Sequence[str], values: Matrix) -> Matrix:
    best: dict[str, float] = {}
    for group, value in zip(groups, values, strict=True):
        best[group] = max(best.get(group, -1.0), float(value))
    return np.array([best[group] for group in groups])


def _beside(sentences: Sequence[Sentence], values: Matrix, edge: Matrix) -> tuple[Matrix, Matrix]:
    """The value of the sentence before and after in the same passage; that of `edge` where there is none."""
    order = sorted(range(len(sentences)), key=lambda i: (sentences[i].passage.id, sentences[i].start))
    before, after = edge.copy(), edge.copy()
    for one, other in pairwise(order):
        if sentences[one].passage.id == sentences[other].passage.id:
            before[other], after[one] = values[one], values[other]
    return before, after


def _agreement(sentences: Sequence[Sentence], vectors: Vectors) -> Matrix:
    """The mean cosine with the nearest sentences of other sources: what several tell is rarely beside the point."""
    sources = np.array([s.passage.source.id for s in sentences])
    alike = (vectors @ vectors.T).astype(np.float64)
    alike[sources[:, None] == sources[None, :]] = 0.0
    return np.sort(alike, axis=1)[:, -thresholds.SHIPPED.neighbours :].mean(axis=1)


def _wording(question: str, sentences: Sequence[Sentence]) -> dict[str, Matrix]:
    """How many of the question's words stand in a sentence, weighted by how rare they are among the passages found."""
    wanted = _content(question)
    texts = {s.passage.id: _content(f"{s.passage.source.title} {s.passage.text}") for s in sentences}
    rarity = _rarity(texts)
    whole = sum(map(rarity, wanted)) or 1.0
    words = [_content(s.text) for s in sentences]
    shared = [sum(map(rarity, wanted & w)) for w in words]
    held = {p: sum(map(rarity, wanted & w)) / whole for p, w in texts.items()}
    titles = {s.passage.source.id: _content(s.passage.source.title) for s in sentences}
    named = {source: sum(map(rarity, wanted & w)) / whole for source, w in titles.items()}
    return {
        "overlap": np.array(shared) / whole,
        "density": np.array([part / max(sum(map(rarity, w)), 1.0) for part, w in zip(shared, words, strict=True)]),
        "paragraph_overlap": np.array([held[s.passage.id] for s in sentences]),
        "title_overlap": np.array([named[s.passage.source.id] for s in sentences]),
    }


def _content(text: str) -> set[str]:
    return {
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words(text)
    }


def _rarity(texts: Mapping[str, set[str]]) -> Callable[[str], float]:
    """The logarithm of how few of the texts hold a word: what all of them hold tells nothing, and needs no list of small words."""
    counts = Counter(word for words in texts.values() for word in words)
    return lambda word: max(math.log((len(texts) + 1.0) / (counts[word] + 0.5)), 0.0)


def _shape(sentences: Sequence[Sentence]) -> dict[str, Matrix]:
    """Where a sentence stands and what it is made of; nothing in it knows the words of a language."""
    texts = [s.text for s in sentences]
    spans = {p.id: (p.start, max(p.end - p.start, 1)) for p in (s.passage for s in sentences)}
    shares = Counter(s.passage.source.id for s in sentences)
    starts = [s.start - spans[s.passage.id][0] for s in sentences]
    places = [start / spans[s.passage.id][1] for start, s in zip(starts, sentences, strict=True)]
    last = [s.end >= s.passage.start + len(s.passage.text.rstrip()) for s in sentences]
    return {
        "rank": np.array([1.0 / (1.0 + s.rank / 10.0) for s in sentences]),
        "sources_share": np.array([math.log(shares[s.passage.source.id]) for s in sentences]),
        "depth": np.array([math.log1p(s.start / 200.0) for s in sentences]),
        "first": np.array([float(start == 0) for start in starts]),
        "last": np.array(last, dtype=np.float64),
        "place": np.array(places),
        "alone": np.array([float(start == 0 and end) for start, end in zip(starts, last, strict=True)]),
        "length": np.array([math.log(s.length) for s in sentences]),
        "short": np.array([float(s.length < 60) for s in sentences]),
        "figures": np.array([math.log1p(sum(map(_has_digit, t.split()))) for t in texts]),
        "names": np.array([math.log1p(sum(w[0].isupper() for w in t.split()[1:])) for t in texts]),
        "asks": np.array([float(t.rstrip().endswith("?")) for t in texts]),
    }


def _findings(sentences: Sequence[Sentence], parts: LinearText) -> dict[str, Matrix]:
    """By its wording alone: does a sentence say what was found, and what that comes to?"""
    texts = [s.text for s in sentences]
    return {"finding": parts.log_odds(texts, RESULT, CONCLUSION), "conclusion": parts.log_odds(texts, CONCLUSION)}


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


class Weighing(Frozen):
    """Fitted: a row's score is the log-odds that its sentence belongs in the report.

    `mean`, `scale` and `weights` are for the features as they are, `relative` for how far a sentence stands from the others of its
    question, in standard deviations.
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    relative: tuple[float, ...]
    offset: float

    def scores(self, table: Matrix, columns: Sequence[str]) -> Matrix:
        """[n] for the rows of a table [n, len(columns)]."""
        kept = table[:, [columns.index(name) for name in self.features]]
        raw = (kept - np.array(self.mean)) / np.array(self.scale)
        found: Matrix = raw @ np.array(self.weights) + relative(kept) @ np.array(self.relative) + self.offset
        return found


class SelectionWeights(Frozen):
    """`first` weighs FEATURES, `second` CONTEXT. `passages` is how many were read to fit them.

    Taking stops where a sentence is `stop` times as likely as the best ones; `thrift` is the power of its characters by which its
    probability is divided when sentences are put in order.
    """

    first: Weighing
    second: Weighing
    stop: float = Field(ge=0, le=1)
    thrift: float = Field(default=0.0, ge=0, le=1)
    passages: int


class ReportWeights(Frozen):
    """What was fitted for reports. `selection` needs no model; `with_relevance` needs one whose relevance is calibrated."""

    parts: LinearText
    kinds: LinearText
    selection: SelectionWeights
    with_relevance: SelectionWeights | None = None
    effects: LinearText | None = None  # whether a finding states an effect or NO_EFFECT
    phrases: LinearText | None = None  # whether a stretch of words is a whole phrase or cut from one
    limits: LinearText | None = None  # whether a question asks for what DOCUMENTS hold, for the FUTURE or an OPINION
    measured: dict[str, float] = Field(default_factory=dict)
    origins: dict[str, str] = Field(default_factory=dict)  # of the numbers that no fit gave: who set them and why


def scores(table: Matrix, sentences: Sequence[Sentence], vectors: Vectors, weights: SelectionWeights) -> Matrix:
    """[n] log-odds of the rows of `described` for the sentences of one question, with their vectors [n, d]."""
    first = weights.first.scores(table, FEATURES)
    return weights.second.scores(in_context(sentences, vectors, first), CONTEXT)


def in_context(sentences: Sequence[Sentence], vectors: Vectors, first: Matrix) -> Matrix:
    """A row of `CONTEXT` for each sentence [n, len(CONTEXT)]: its first score beside those of what surrounds it and is like it."""
    if not sentences:
        return np.zeros((0, len(CONTEXT)))
    likely = 1.0 / (1.0 + np.exp(-first))
    passages, sources = [s.passage.id for s in sentences], [s.passage.source.id for s in sentences]
    before, after = _beside(sentences, first, first - 1.0)
    alike = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(alike, 0.0)
    columns = {
        "score": first,
        "probability": likely,
        "score_before": before,
        "score_after": after,
        **dict(zip(("best_of_passage", "sum_of_passage"), _others(passages, likely), strict=True)),
        **dict(zip(("best_of_source", "sum_of_source"), _others(sources, likely), strict=True)),
        "likely_centre": vectors @ _unit((likely**2) @ vectors),
        "likely_agreement": _likely_agreement(alike, sources, likely),
        "likely_neighbours": _likely_neighbours(alike, likely),
        "order": 1.0 / (1.0 + np.argsort(np.argsort(-first, kind="stable"), kind="stable") / 10.0),
    }
    return np.column_stack([columns[name] for name in CONTEXT])


def _others(groups: Sequence[str], values: Matrix) -> tuple[Matrix, Matrix]:
    """For each row the best and the sum of the values of the others of its group; 0 where it is alone."""
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    best, total = np.zeros(len(values)), np.zeros(len(values))
    for rows in members.values():
        for row in rows:
            others = [values[other] for other in rows if other != row]
            best[row], total[row] = max(others, default=0.0), sum(others)
    return best, total


def _likely_agreement(alike: Matrix, sources: Sequence[str], likely: Matrix) -> Matrix:
    """How near the sentences of other sources are that are themselves likely."""
    names = np.array(sources)
    across = np.where(names[:, None] != names[None, :], alike, 0.0)
    found: Matrix = np.sort(across * likely[None, :], axis=1)[:, -thresholds.SHIPPED.agreeing :].mean(axis=1)
    return found


def _likely_neighbours(alike: Matrix, likely: Matrix) -> Matrix:
    """How likely the sentences nearest in meaning are."""
    weights = np.maximum(alike, 0.0) ** thresholds.SHIPPED.neighbour_power
    found: Matrix = (weights * likely[None, :]).sum(axis=1) / (weights.sum(axis=1) + thresholds.SHIPPED.neighbour_prior)
    return found


def relative(table: Matrix) -> Matrix:
    """Each column in standard deviations from its mean over the rows."""
    return (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-6) if len(table) else table


JOINED = 2  # characters that may lie between two sentences of one quotation


def select(candidates: Sequence[Scored], budget_characters: int, stop: float, thrift: float = 0.0) -> list[Chosen]:
    """The quotations of a report, best first: likely sentences while they fit, neighbours joined, repetitions set beside.

    Left out is what is less than `stop` times as likely as the mean of the best, and of statements that are a source of their own
    what is near to one that was taken; taking stops at the first sentence that is too long for what is left of the budget. With
    `thrift` short sentences come before long ones that are about as likely.
    """
    taken: list[Scored] = []
    beside: dict[int, list[Sentence]] = {}
    used = 0
    for candidate in sorted(_likely(candidates, stop), key=lambda c: -_worth(c, thrift)):
        twin = next((n for n, other in enumerate(taken) if says_the_same(candidate, other)), None)
        if twin is not None:
            beside.setdefault(twin, []).append(candidate.sentence)
        elif any(repeats(candidate, other) for other in taken):
            continue
        elif used + candidate.sentence.length > budget_characters:
            break
        else:
            taken.append(candidate)
            used += candidate.sentence.length
    return _quotations(taken, beside)


def _likely(candidates: Sequence[Scored], stop: float) -> list[Scored]:
    """Those that are worth their characters, likeliest first: a few at least."""
    least = _least(candidates, stop)
    few = thresholds.SHIPPED.least_chosen
    return [c for n, c in enumerate(_ordered(candidates)) if n < few or _probability(c) >= least]


def _worth(candidate: Scored, thrift: float) -> float:
    """The logarithm of its probability over its characters to the power of `thrift`."""
    return -float(np.logaddexp(0.0, -candidate.score)) - thrift * math.log(candidate.sentence.length)


def belonging(candidates: Sequence[Scored], stop: float) -> list[Sentence]:
    """The sentences that are likely enough for the report, best first, however many characters they have."""
    least = _least(candidates, stop)
    return [c.sentence for c in _ordered(candidates) if _probability(c) >= least]


def _ordered(candidates: Sequence[Scored]) -> list[Scored]:
    return sorted(candidates, key=lambda c: (-c.score, c.sentence.passage.id, c.sentence.start))


def _least(candidates: Sequence[Scored], stop: float) -> float:
    """The probability below which a sentence is not worth its characters."""
    best = _ordered(candidates)[: thresholds.SHIPPED.best]
    return stop * float(np.mean([_probability(c) for c in best])) if best else 0.0


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
            sentences=tuple(c.sentence for c in run),
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


REACH = 2  # sentences that may be taken before one that leans on them
LEANING = frozenset(  # English words that, opening a sentence, point back to the one before
    """he she it they his her hers its their theirs him them himself herself itself themselves however therefore thus hence
    moreover furthermore additionally nevertheless nonetheless instead otherwise consequently accordingly conversely likewise
    similarly meanwhile but so yet and or nor also then both neither""".split()
)
DEMONSTRATIVES = frozenset("this that these those such".split())
AUXILIARIES = frozenset(
    "is are was were be has have had do does did can could may might must will would shall should".split()
)


def standing(chosen: Chosen, split: Split) -> Chosen:
    """The quotation with the sentence before it where its opening leans on that one; nothing is rewritten."""
    for _ in range(REACH):
        first = chosen.sentences[0]
        earlier = [p for p in _places(first.passage, split) if p[1] <= first.start and first.start - p[1] <= JOINED]
        if not earlier or not leans(first.text):
            break
        before = Sentence(first.passage, *earlier[-1], rank=first.rank)
        chosen = Chosen((before, *chosen.sentences), chosen.score, chosen.also)
    return chosen


def speaks_of(thing: str, sentence: Sentence, others: Sequence[str]) -> bool:
    """Whether a sentence names a thing, or stands in a source whose title names it and names none of the others itself."""
    if names_thing(sentence.text, thing):
        return True
    elsewhere = any(names_thing(sentence.text, other) for other in others)
    return not elsewhere and names_thing(sentence.passage.source.title, thing)


def names_thing(text: str, thing: str) -> bool:
    """Whether a text names it, one or several of its kind."""
    return regex.search(rf"(?<![\w-]){regex.escape(thing)}s?(?!\w)", text, regex.IGNORECASE) is not None


def as_said(thing: str, text: str, others: Sequence[str]) -> str:
    """A thing as the evidence names it: whole, else without its first or last word where that still names it and no other."""
    if names_thing(text, thing):
        return thing
    words = thing.split()
    shorter = [" ".join(words[:-1]), " ".join(words[1:])] if len(words) >= LEAST_NAME else []
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


def leans(text: str) -> bool:
    """Whether a sentence opens with a word that needs the one before: a pronoun, a connective, "this" with no noun of its own."""
    one, other, *_ = (*words(text)[:2], "", "")
    return one in LEANING or (one in DEMONSTRATIVES and other in AUXILIARIES)
