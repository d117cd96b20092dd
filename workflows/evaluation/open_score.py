"""What a report on an open question is worth, without a judge model: which nuggets its citations hold, and how much else they hold.

A nugget is a fact that a good report tells; its `gold` are equivalent places of the corpus. It is found when one citation covers
`COVER` of one of these places and is not longer than `MAX_CHARACTERS`, so that citing a whole page earns nothing.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from palimpsest.retrieval.types import Frozen

COVER = 0.6
MAX_CHARACTERS = 1_500
FIRST_CHARACTERS = 2_500
NEAR_PASSAGES, NEAR_SENTENCES = 0.8, 0.85  # share of the shorter one's words from which two say the same
LEAST_LOOKED_UP = 15  # characters, blanks apart, that a quotation must have to be looked up without its blanks
LEAST_WORDS = 6  # a shorter sentence of the report is not counted as repeated
RESAMPLES = 1_000

_WORD = re.compile(r"[^\W_]+")
_QUOTE_PARTS = re.compile(r"(?<=[.!?])\s+|\s*(?:…|\.\.\.|\[…\])\s*|\n+")
_REPORT_PARTS = re.compile(r"(?<=[.!?])\s+|\n+")
_SECTION = re.compile(r"^#{2,3} ", re.MULTILINE)


class Gold(Frozen):
    """The corpus document's text[start:end] == quote."""

    doc: str
    quote: str
    start: int
    end: int


class Nugget(Frozen):
    """A fact and the places that hold it; one that is not vital counts half in the weighted figures."""

    text: str
    vital: bool
    gold: tuple[Gold, ...]

    @property
    def weight(self) -> float:
        return 1.0 if self.vital else 0.5


class OpenQuestion(Frozen):
    """`entities` are what a comparison must name, `relevant` documents that are on topic whatever of them is cited."""

    id: str
    kind: str
    collection: str = ""
    question: str
    nuggets: tuple[Nugget, ...]
    entities: tuple[str, ...] = ()
    relevant: tuple[str, ...] = ()


class Citation(Frozen):
    """What a report shows of a document: a quotation, a statement or a cell, as it stands in the document."""

    doc: str
    quote: str


class OpenRow(Frozen):
    """One question's report, its citations in the order shown, the seconds it took, and its revisions by their reason."""

    id: str
    report: str
    citations: tuple[Citation, ...]
    seconds: float
    revisions: dict[str, int] = Field(default_factory=dict)


class OpenFigures(Frozen):
    """The figures of one report. None is a figure that cannot be told: of no citation, of no vital nugget, of no entity."""

    id: str
    collection: str
    kind: str
    vital_recall: float | None
    weighted_recall: float
    weighted_recall_2500: float
    precision: float | None
    redundancy: float | None
    repeated_sentences: float | None
    cited_characters: int
    citations: int
    broken: int
    sections: int
    entities_named: float | None
    seconds: float


class Place(NamedTuple):
    """A cited piece of the corpus: the document's text[start:end]."""

    doc: str
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Corpus:
    """The documents' texts by id, and where a quotation stands in them."""

    def __init__(self, texts: Mapping[str, str]):
        self.texts = texts
        self._squashed: dict[str, tuple[str, list[int]]] = {}
        self._places: dict[Citation, list[Place]] = {}  # a fit looks the same quotations up for every stop

    def places(self, citation: Citation) -> list[Place]:
        """Where the quotation stands: verbatim, else without regard to blanks, else its sentences one by one; [] where nowhere."""
        if citation not in self._places:
            self._places[citation] = self._looked_up(citation)
        return self._places[citation]

    def _looked_up(self, citation: Citation) -> list[Place]:
        doc, quote = citation.doc, citation.quote
        if doc not in self.texts or not quote.strip():
            return []
        start = self.texts[doc].find(quote)
        if start >= 0:
            return [Place(doc, start, start + len(quote))]
        whole = list(self._without_blanks(doc, quote))
        return whole or [p for part in _QUOTE_PARTS.split(quote) for p in self._without_blanks(doc, part)]

    def _without_blanks(self, doc: str, quote: str) -> Iterator[Place]:
        if doc not in self._squashed:
            self._squashed[doc] = _squashed(self.texts[doc])
        text, kept = self._squashed[doc]
        wanted = "".join(quote.split())
        start = text.find(wanted) if len(wanted) >= LEAST_LOOKED_UP else -1
        if start >= 0:
            yield Place(doc, kept[start], kept[start + len(wanted) - 1] + 1)


def _squashed(text: str) -> tuple[str, list[int]]:
    """The text without blanks, and the place of each character that was kept."""
    kept = [place for place, letter in enumerate(text) if not letter.isspace()]
    return "".join(text[place] for place in kept), kept


def figures(question: OpenQuestion, row: OpenRow, corpus: Corpus) -> OpenFigures:
    """What the row's report is worth as an answer to the question."""
    located = [corpus.places(citation) for citation in row.citations]
    broken = sum(not places for places in located)
    places = list(dict.fromkeys(place for places in located for place in places))
    held = [_held(question, place) for place in places]
    found = {n for place, nuggets in zip(places, held, strict=True) if place.length <= MAX_CHARACTERS for n in nuggets}
    vital = [n for n, nugget in enumerate(question.nuggets) if nugget.vital]
    good = sum(bool(nuggets) or place.doc in question.relevant for place, nuggets in zip(places, held, strict=True))
    return OpenFigures(
        id=question.id,
        collection=question.collection,
        kind=question.kind,
        vital_recall=_ratio(len(found.intersection(vital)), len(vital)),
        weighted_recall=_weighted(question, found),
        weighted_recall_2500=_weighted(question, _found_first(places, held)),
        precision=_ratio(good, len(places) + broken),
        redundancy=_ratio(_num_redundant(places, held, corpus), len(places)),
        repeated_sentences=_repeated(row.report),
        cited_characters=sum(place.length for place in places),
        citations=len(places) + broken,
        broken=broken,
        sections=len(_SECTION.findall(row.report)),
        entities_named=_named(question, row.report),
        seconds=row.seconds,
    )


def _held(question: OpenQuestion, place: Place) -> set[int]:
    """The numbers of the nuggets that a cited place holds."""
    return {n for n, nugget in enumerate(question.nuggets) if any(_covers(place, gold) for gold in nugget.gold)}


def _covers(place: Place, gold: Gold) -> bool:
    shared = min(place.end, gold.end) - max(place.start, gold.start)
    return place.doc == gold.doc and shared > 0 and shared >= COVER * (gold.end - gold.start)


def _found_first(places: Sequence[Place], held: Sequence[set[int]]) -> set[int]:
    """The nuggets held by the places that end within the first FIRST_CHARACTERS cited characters."""
    found: set[int] = set()
    used = 0
    for place, nuggets in zip(places, held, strict=True):
        used += place.length
        found |= nuggets if used <= FIRST_CHARACTERS else set()
    return found


def _weighted(question: OpenQuestion, found: set[int]) -> float:
    weights = [nugget.weight for nugget in question.nuggets]
    return sum(weight for n, weight in enumerate(weights) if n in found) / sum(weights)


def _num_redundant(places: Sequence[Place], held: Sequence[set[int]], corpus: Corpus) -> int:
    """Places that bring no new nugget and repeat either the nuggets or nearly the words of what was cited before."""
    known: set[int] = set()
    earlier: list[Counter[str]] = []
    redundant = 0
    for place, nuggets in zip(places, held, strict=True):
        words = _words(corpus.texts[place.doc][place.start : place.end])
        if nuggets <= known:
            redundant += bool(nuggets) or any(_likeness(words, other) >= NEAR_PASSAGES for other in earlier)
        known |= nuggets
        earlier.append(words)
    return redundant


def _repeated(report: str) -> float | None:
    """The share of the report's sentences that nearly repeat an earlier one."""
    sentences = [s for s in _REPORT_PARTS.split(report) if len(_WORD.findall(s)) >= LEAST_WORDS]
    bags = list(map(_words, sentences))
    repeated = sum(any(_likeness(bag, other) >= NEAR_SENTENCES for other in bags[:n]) for n, bag in enumerate(bags))
    return _ratio(repeated, len(bags))


def _words(text: str) -> Counter[str]:
    return Counter(word.lower() for word in _WORD.findall(text))


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    return (one & other).total() / max(1, min(one.total(), other.total()))


def _named(question: OpenQuestion, report: str) -> float | None:
    lowered = report.lower()
    return _ratio(sum(e.lower() in lowered for e in question.entities), len(question.entities)) if report else None


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


class Figure(Frozen):
    """A mean over questions with the 95 % interval of its bootstrap; `n` questions had the figure."""

    mean: float
    low: float
    high: float
    n: int


SHOWN = (
    "vital_recall", "weighted_recall", "weighted_recall_2500", "precision", "redundancy", "repeated_sentences",
    "entities_named", "cited_characters", "citations", "broken", "sections", "seconds",
)  # fmt: skip


def summary(rows: Sequence[OpenFigures]) -> dict[str, Figure]:
    """Every figure of `SHOWN` over the rows that have it; one that none has is left out."""
    columns = {name: [getattr(row, name) for row in rows] for name in SHOWN}
    present = {name: [float(v) for v in values if v is not None] for name, values in columns.items()}
    return {name: bootstrap(values) for name, values in present.items() if values}


def by_group(rows: Sequence[OpenFigures]) -> dict[str, dict[str, Figure]]:
    """The summary of all rows, and of each collection."""
    collections = sorted({row.collection for row in rows})
    groups = {"all": list(rows), **{name: [r for r in rows if r.collection == name] for name in collections}}
    return {name: summary(group) for name, group in groups.items()}


def bootstrap(values: Sequence[float], seed: int = 0) -> Figure:
    """The mean and the middle 95 % of the means of `RESAMPLES` samples drawn with replacement."""
    generator = random.Random(seed)
    means = sorted(_mean(generator.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[math.ceil(0.975 * RESAMPLES) - 1]
    return Figure(mean=_mean(values), low=low, high=high, n=len(values))


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
