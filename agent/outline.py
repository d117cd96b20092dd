"""Sections of a report: what was chosen is grouped by meaning, and each group is headed by the title that most of it stands under, or
by words of its own sentences.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import table_id
from palimpsest.retrieval.types import Passage

from . import thresholds
from .phrases import phrases
from .sentences import JOINED, Chosen, place_of
from .tabling import IN_RECORDS
from .wording import leans

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]  # texts to rows of length 1
Whole = Callable[
    [Sequence[str]], Mapping[str, float]
]  # texts to how likely each of their phrases, casefolded, is whole

LEAST_SECTIONS, MOST_SECTIONS = 3, 7
PER_SECTION = 2  # quotations that a section holds at least: no heading over one thin line
AIMED_AT = 4  # quotations a section
LONGEST_TITLE = 90  # characters: one line of a page
SUBTITLE = ": "
# What parts of any text are called, by their stems: over what stands under them they say nothing.
PARTS_OF_TEXTS = frozenset(
    tokens(
        "abstract summary introduction background overview scope aims objectives methods methodology materials design data results "
        "findings discussion conclusion conclusions outlook recommendations limitations appendix annex notes references contents key "
        "points main text general information further reading about and of the our this what we did found"
    )
)
NUMBERED = regex.compile(r"^(?:\d{1,2}(?:[.)]|(?:\.\d{1,2})+[.)]?)|\d|[IVX]{2,}\.)\s+(?=\p{Lu})")
SCHEME = "://"  # what an address has and a path has not
TURNS = 20  # of moving centres; groups of some dozens settle within ten


@dataclass(frozen=True)
class Section:
    """`chosen` best first under a `heading`; "" where none says something."""

    heading: str
    chosen: tuple[Chosen, ...]


class Group(NamedTuple):
    """Rows of what was chosen that make a section whatever they are like, under this heading, or under one found for them."""

    rows: tuple[int, ...]
    heading: str = ""


def sections(
    chosen: Sequence[Chosen], vectors: Vectors, question: str, embed: Embed, whole: Whole, fixed: Sequence[Group] = ()
) -> list[Section]:
    """The quotations in sections that are `parted`, each under a heading."""
    return headed(parted(chosen, vectors, fixed), question, embed, whole)


def parted(chosen: Sequence[Chosen], vectors: Vectors, fixed: Sequence[Group] = ()) -> list[Section]:
    """The quotations in LEAST_SECTIONS to MOST_SECTIONS groups of like meaning, those first of which the most belongs.

    `vectors` [n, d] are those of the quotations, of length 1. Too few for LEAST_SECTIONS full groups make fewer groups. Groups that are
    `fixed` beforehand come first; then only the rest is grouped.
    """
    rows = [n for n in range(len(chosen)) if not any(n in group.rows for group in fixed)]
    found = grouped(vectors[rows], _how_many(len(rows), len(fixed))) if rows else []
    found.sort(key=lambda group: -_worth([chosen[rows[n]] for n in group]))
    free = following([[rows[n] for n in group] for group in found], chosen)
    groups = [group._replace(rows=tuple(following([list(group.rows)], chosen)[0])) for group in fixed]
    groups += [Group(tuple(group)) for group in free]
    return [Section(group.heading, tuple(chosen[n] for n in group.rows)) for group in groups]


def headed(parts: Sequence[Section], question: str, embed: Embed, whole: Whole) -> list[Section]:
    """The sections, those that have no heading under the title of what they hold, or under words of it."""
    if not parts:
        return []
    parts = entitled(parts, question)
    texts = [[_running_text(c) for c in part.chosen] for part in parts]
    titles = [[_headed(c) for c in part.chosen] for part in parts]
    centres = np.array([_unit(embed([c.text for c in part.chosen]).mean(axis=0)) for part in parts])
    names = headings(texts, titles, centres, question, embed, whole, [part.heading for part in parts])
    return [replace(part, heading=name) for part, name in zip(parts, names, strict=True)]


def entitled(parts: Sequence[Section], question: str) -> list[Section]:
    """The sections, those without a heading under the title that most of one, and of no other, stand under, where one says more than
    the question.

    Of the title of a source and the headings above a quotation in it, the outermost that tells a section from the others.
    """
    shared = [_shared(part) for part in parts]
    asked, taken = set(tokens(question)), {part.heading.casefold() for part in parts}
    found: list[Section] = []
    for number, part in enumerate(parts):
        others = {title for n, own in enumerate(shared) if n != number for title in own}
        own = (
            t for t in shared[number] if t not in others and t.casefold() not in taken and not set(tokens(t)) <= asked
        )
        title = part.heading or next(own, "")
        taken.add(title.casefold())
        found.append(replace(part, heading=title))
    return found


def _shared(part: Section) -> list[str]:
    """The titles that more than half of the quotations of a section stand under, PER_SECTION at least, outermost first.

    Parts of two sources that are called the same, "Results", are not one.
    """
    stands = [(place, piece) for piece in part.chosen for place in enumerate(titles_of(piece.sentences[0].passage))]
    count = Counter(
        (depth, title, piece.sentences[0].passage.source.id if depth else "") for (depth, title), piece in stands
    )
    held = sorted(key for key, n in count.items() if n >= PER_SECTION and 2 * n > len(part.chosen))
    return list(dict.fromkeys(title for _, title, _ in held))


def titles_of(passage: Passage) -> list[str]:
    """What may head a section of what a passage says: the title of its source, and the headings above it there; no name of a file.

    Of a title too long for a line what stands ahead of its colon; of a numbered one its words. What parts of any text are called heads
    nothing.
    """
    uri, title = passage.source.uri, passage.source.title
    is_name = title == uri or (SCHEME not in uri and title in (PurePath(uri).name, PurePath(uri).stem))
    parts = (NUMBERED.sub("", t.strip()) for t in passage.path)
    heads = [t if len(t) <= LONGEST_TITLE else t.partition(SUBTITLE)[0] for t in ("" if is_name else title, *parts)]
    named = (t.strip() for t in heads if len(t) <= LONGEST_TITLE)
    return list(dict.fromkeys(opened(t) for t in named if not PARTS_OF_TEXTS.issuperset(tokens(t))))


def placed(chosen: Sequence[Chosen], vectors: Vectors, embed: Embed) -> Vectors:
    """[n, d] of length 1, for quotations by what they say, `vectors` [n, d], and by what heads them where they stand."""
    if not len(chosen):
        return vectors
    moved = vectors + thresholds.SHIPPED.under_title * embed([_headed(c) for c in chosen])
    scaled: Vectors = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
    return scaled


def as_one_table(chosen: Sequence[Chosen], vectors: Vectors) -> Vectors:
    """[n, d] of length 1, where the rows of one table all lie in the middle of those chosen: they stand in one section."""
    moved = vectors.copy()
    for rows in _tables(chosen):
        moved[rows] = _unit(vectors[rows].mean(axis=0))
    return moved


def _tables(chosen: Sequence[Chosen]) -> list[list[int]]:
    """Which quotations are rows of one table, of several at least."""
    tables: dict[str, list[int]] = {}
    for row, passage in enumerate(c.sentences[0].passage for c in chosen):
        if passage.kind in IN_RECORDS:
            tables.setdefault(table_id(passage), []).append(row)
    return [rows for rows in tables.values() if len(rows) >= PER_SECTION]


def by_topic(
    chosen: Sequence[Chosen], vectors: Vectors, topics: Sequence[str], embed: Embed, compared: bool = False
) -> list[Group]:
    """For each topic of a question, in its order, the quotations that name it, or stand under words that do: a section a topic.

    What names several belongs to the one it is nearest to; where the topics are things that are `compared`, to none. No section for a
    topic that too few name, or, but for compared things, that most do: it parts nothing.
    """
    if not topics or not chosen:
        return []
    near = vectors @ embed(list(topics)).T  # [n, topics]
    named = [_named(piece, topics, near[number], compared) for number, piece in enumerate(chosen)]
    for row, lead in sorted(leads(chosen).items(), key=lambda pair: chosen[pair[0]].start):
        named[row] = named[lead]
    for row in (row for rows in _tables(chosen) for row in rows):
        named[row] = None  # a table is of all that its rows are of
    most = len(chosen) * (1.0 if compared else thresholds.SHIPPED.most_of_topic)
    rows = {t: [n for n, own in enumerate(named) if own == t] for t in range(len(topics))}
    kept = {
        t: group for t, group in rows.items() if _size(chosen, group, compared) >= PER_SECTION and len(group) <= most
    }
    rest = set(range(len(chosen))).difference(*kept.values())
    if kept and not compared and len(rest) < PER_SECTION:  # one thin line is no section
        for row in rest:
            kept[max(kept, key=lambda t: float(near[row, t]))].append(row)
    return [Group(tuple(group), heading=opened(topics[t])) for t, group in kept.items()]


def _size(chosen: Sequence[Chosen], rows: Sequence[int], compared: bool) -> int:
    """How much a section holds: quotations, or of a thing that is compared sentences, for one note on it may be one quotation."""
    return sum(len(chosen[row].sentences) if compared else 1 for row in rows)


def on(piece: Chosen, topics: Sequence[str], compared: bool = False) -> list[int]:
    """Which topics a quotation names in some form, or else what heads it does; of things that are `compared`, or else its passage."""
    places = (piece.text, _headed(piece), piece.sentences[0].passage.text)
    named = ([t for t, topic in enumerate(topics) if _holds(topic, text)] for text in places[: 3 if compared else 2])
    return next(filter(None, named), [])


def _named(piece: Chosen, topics: Sequence[str], near: Vectors, compared: bool) -> int | None:
    """The topic that a quotation is of: of several the nearest, `near` [topics]; of several things `compared` none."""
    named = on(piece, topics, compared)
    return None if not named or (compared and len(named) > 1) else max(named, key=lambda t: float(near[t]))


def _holds(topic: str, text: str) -> bool:
    """Whether the words of a topic stand in a text in some form, one behind the other."""
    wanted, held = tokens(topic), tokens(text)
    return any(held[n : n + len(wanted)] == wanted for n in range(len(held) - len(wanted) + 1))


def place_in(text: str, words: str) -> int:
    """Where words stand in a text, whole and in any case; -1 where they do not."""
    if not words:
        return -1
    found = regex.search(rf"(?<!\w){regex.escape(words)}(?!\w)", text, regex.IGNORECASE)
    return int(found.start()) if found else -1


def _running_text(chosen: Chosen) -> str:
    """The words of a quotation; of a row none, for all rows of a table share the names of its columns, whatever they are of."""
    return "" if chosen.sentences[0].passage.kind in IN_RECORDS else chosen.text


def _headed(chosen: Chosen) -> str:
    """What heads a quotation where it stands: the title of its source, and the headings above it."""
    passage = chosen.sentences[0].passage
    return ". ".join(dict.fromkeys((passage.source.title, *passage.path)))


def _how_many(count: int, fixed: int = 0) -> int:
    wanted = min(max(round(count / AIMED_AT), LEAST_SECTIONS - fixed, 1), MOST_SECTIONS - fixed)
    return max(min(wanted, count // PER_SECTION), 1)


def leads(chosen: Sequence[Chosen]) -> dict[int, int]:
    """For each quotation that leans on the one directly before it in its source, which of those chosen that is."""
    places = [place_of(c) for c in chosen]
    return {
        n: m
        for n, (source, start, _) in enumerate(places)
        for m, (other, _, end) in enumerate(places)
        if source == other and 0 <= start - end <= JOINED and leans(chosen[n].text)
    }


def following(groups: Sequence[Sequence[int]], chosen: Sequence[Chosen]) -> list[list[int]]:
    """The groups of rows of what was chosen, each that leans on another directly behind it, where its own group stays thick enough."""
    found = [list(group) for group in groups]
    for row, lead in sorted(leads(chosen).items(), key=lambda pair: chosen[pair[0]].start):
        own = next((g for g in found if row in g), None)
        new = next((g for g in found if lead in g), None)
        if own is None or new is None or (own is not new and len(own) <= PER_SECTION):
            continue
        own.remove(row)
        new.insert(new.index(lead) + 1, row)
    return found


def _worth(chosen: Sequence[Chosen]) -> float:
    """The share of the quotations of a section that belong in the report, as far as is known."""
    return sum(1.0 / (1.0 + math.exp(-c.score)) for c in chosen) / len(chosen)


def _unit(vector: Vectors) -> Vectors:
    scaled: Vectors = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return scaled


def grouped(vectors: Vectors, count: int) -> list[list[int]]:
    """The rows in at most `count` groups by spherical k-means, sorted, each of PER_SECTION rows and more where there are as many.

    What all rows share (the topic) is taken off first. The first centre is row 0, the best; each further one the row least like any
    centre before, so that the same rows always make the same groups.
    """
    apart = vectors - vectors.mean(axis=0)
    apart = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
    centres = [apart[0]]
    while len(centres) < count:
        centres.append(apart[int(np.argmin(np.max(apart @ np.array(centres).T, axis=1)))])
    labels = np.zeros(len(apart), dtype=np.int64)
    for _ in range(TURNS):
        labels = np.argmax(apart @ np.array(centres).T, axis=1)
        centres = [_unit(apart[labels == n].mean(axis=0)) if (labels == n).any() else c for n, c in enumerate(centres)]
    groups = [np.flatnonzero(labels == n).tolist() for n in range(len(centres))]
    return sorted(_thickened([group for group in groups if group], apart))


def _thickened(groups: list[list[int]], vectors: Vectors) -> list[list[int]]:
    """Each group that is too thin joins the one it is most like."""
    while len(groups) > 1 and min(map(len, groups)) < PER_SECTION:
        thin = min(groups, key=lambda group: (len(group), group))
        others = [group for group in groups if group is not thin]
        near = [float((vectors[thin] @ vectors[group].T).mean()) for group in others]
        best = others[int(np.argmax(near))]
        groups = [group for group in others if group is not best] + [sorted([*best, *thin])]
    return groups


# Headings


def headings(
    texts: Sequence[Sequence[str]],
    titles: Sequence[Sequence[str]],
    centres: Vectors,
    question: str,
    embed: Embed,
    whole: Whole,
    given: Sequence[str] = (),
) -> list[str]:
    """For each group of texts the heading `given`; else the whole phrase of its own, or of what heads them, that is nearest to its
    centre [d] and to most of its texts, and far from the others'.

    `titles` are of the same shape as `texts`. A phrase of nothing but the question's words says nothing that the title does not say,
    nor does one that heads another section in some form.
    """
    asked = set(tokens(question))
    found = [_worded(own, named, asked, whole([*own, *named])) for own, named in zip(texts, titles, strict=True)]
    every = list(dict.fromkeys(p for own in found for p in own))
    given = given or [""] * len(texts)
    if not every:
        return list(given)
    near = embed(every) @ centres.T  # [phrases, groups]
    held = covered(every, texts, titles)
    chosen: list[str] = []
    for number, own in enumerate(found):
        if given[number]:
            chosen.append(given[number])
            continue
        taken = [set(tokens(name)) for name in (*chosen, *given) if name]
        free = [p for p in own if set(tokens(p)) not in taken]
        row = {p: every.index(p) for p in free}
        value = {
            p: own[p] + _distinct(near[row[p]], number) + thresholds.SHIPPED.covering * _distinct(held[row[p]], number)
            for p in free
        }
        best = max(free, key=lambda p: (value[p], p), default="")
        chosen.append(opened(best))
    return chosen


def covered(
    phrases: Sequence[str], texts: Sequence[Sequence[str]], titles: Sequence[Sequence[str]]
) -> NDArray[np.float32]:
    """[phrases, groups], the share of the texts of a group that hold a phrase's words in some form, each with what heads it."""
    held = [
        [set(tokens(f"{title} {text}")) for text, title in zip(own, named, strict=True)]
        for own, named in zip(texts, titles, strict=True)
    ]
    wanted = [set(tokens(phrase)) for phrase in phrases]
    return np.array([[np.mean([w <= h for h in own]) for own in held] for w in wanted], dtype=np.float32)


def opened(phrase: str) -> str:
    """With a capital, but for a name that is written small: dInfer, d3LLM."""
    first = phrase.split(maxsplit=1)[0] if phrase else ""
    return phrase[:1].upper() + phrase[1:] if first[1:].islower() else phrase


def _worded(
    texts: Sequence[str], titles: Sequence[str], asked: set[str], whole: Mapping[str, float]
) -> dict[str, float]:
    """The phrases of a section, each with what its being whole is worth.

    Pieces of phrases count only where there is nothing else; a phrase of which nothing is known is taken for whole.
    """
    telling = [phrase for phrase in {**phrases(titles), **phrases(texts)} if not set(tokens(phrase)) <= asked]
    sure = {phrase: whole.get(phrase.casefold(), 1.0) for phrase in telling}
    kept = [phrase for phrase in telling if sure[phrase] >= thresholds.SHIPPED.least_whole]
    return {phrase: thresholds.SHIPPED.whole * sure[phrase] for phrase in kept or telling}


def _distinct(near: Vectors, own: int) -> float:
    others = np.delete(near, own)
    return float(near[own] - thresholds.SHIPPED.elsewhere * (others.max() if len(others) else 0.0))
