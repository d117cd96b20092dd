"""Fit what tells a whole phrase from a piece of one, by titles and headings as they stand in running text.

    python -m palimpsest.workflows.evaluation.fit_headings --open FOLDER --train FOLDER --weights selection.json

adds `phrases` to the file. Whole are stretches of a sentence that are the title of some page or the heading of some section; cut are
stretches that share words with them. Articles that the open questions are asked of are kept apart.
"""

from __future__ import annotations

import argparse
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from palimpsest.agent.phrases import CUT, LEAST_WORDS, MARKS, MOST_WORDS, WHOLE, Stretch, described, stretches
from palimpsest.agent.weighing import ReportWeights
from palimpsest.agent.wording import LinearText
from palimpsest.dlm_core.metrics import auroc
from palimpsest.dlm_core.training.examples import read_rows

from .linear_fit import linear_text
from .open_questions import read_data, trial_numbers

BUCKETS, MOST_ROWS = 2048, 16_000
NUM_PAGES, NUM_ARTICLES = 6_000, 2_500
SEEN, AGAINST = 4, 3  # times that one phrase is taken, and stretches against each
HELD_OUT = 10  # one document of so many is held out
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_NAME = re.compile(r"[^\W\d_][\w’' -]+")
_CHARACTERS = 3_000  # of a text


class Row(NamedTuple):
    """A stretch as the classifier sees it; `document` is where it stands."""

    text: str
    label: str
    document: str
    phrase: str


def rows_of(texts: Iterable[tuple[str, str]], names: frozenset[str]) -> Iterator[Row]:
    """`texts` are documents' names and paragraphs in a random order, `names` the casefolded titles and headings."""
    rng, seen = random.Random(0), Counter[str]()
    for document, text in texts:
        for sentence in (s for s in _SENTENCE_END.split(text[:_CHARACTERS]) if _holds(s, names)):
            found = list(stretches(sentence))
            named = [s for s in found if s.phrase.casefold() in names]
            for whole in (s for s in named if not _is_inside(s, named)):
                name = whole.phrase.casefold()
                seen[name] += 1
                if seen[name] <= SEEN:
                    yield Row(described(whole), WHOLE, document, name)
                    yield from _cut(whole, found, names, document, rng)


def _holds(sentence: str, names: frozenset[str]) -> bool:
    """Whether some words of a sentence in a row are a name: parts of speech are asked of these sentences alone."""
    words = [word.strip(MARKS).casefold() for word in sentence.split()]
    lengths = range(LEAST_WORDS, MOST_WORDS + 1)
    return any(" ".join(words[at : at + length]) in names for length in lengths for at in range(len(words)))


def _is_inside(one: Stretch, named: Sequence[Stretch]) -> bool:
    return any(one.phrase != other.phrase and one.phrase.casefold() in other.phrase.casefold() for other in named)


def _cut(
    whole: Stretch, found: Sequence[Stretch], names: frozenset[str], document: str, rng: random.Random
) -> Iterator[Row]:
    sharing = [s for s in found if set(s.words) & set(whole.words) and s.phrase.casefold() not in names]
    for stretch in rng.sample(sharing, min(AGAINST, len(sharing))):
        yield Row(described(stretch), CUT, document, stretch.phrase.casefold())


def names_and_texts(train: Path, kept_apart: set[str]) -> tuple[frozenset[str], list[tuple[str, str]]]:
    """Titles of pages and headings of articles, and the paragraphs of both, shuffled."""
    pages = read_rows(train / "wikipedia_pages.jsonl.xz")
    articles = [
        row
        for row in read_rows(train / "pmc_articles.jsonl.xz")
        if str(row["pmcid"]).removeprefix("PMC") not in kept_apart
    ]
    named = [re.sub(r" \(.*\)$", "", row["title"]) for row in pages]
    named += [part["heading"].rpartition(" / ")[2].strip() for row in articles for part in row["body"]]
    texts = [(row["title"], _joined(p)) for row in pages[:NUM_PAGES] for p in row["paragraphs"]]
    texts += [(row["pmcid"], part["text"]) for row in articles[:NUM_ARTICLES] for part in row["body"]]
    random.Random(0).shuffle(texts)
    return frozenset(name.casefold() for name in named if _is_phrase(name)), texts


def _joined(paragraph: Any) -> str:
    return paragraph if isinstance(paragraph, str) else " ".join(paragraph)


def _is_phrase(name: str) -> bool:
    return LEAST_WORDS <= len(name.split()) <= MOST_WORDS and _NAME.fullmatch(name) is not None


def fitted(rows: Sequence[Row]) -> tuple[LinearText, dict[str, float]]:
    """The classifier, and its AUROC on documents held out: of all stretches, and without whole ones whose words were fitted on."""
    apart = [row for row in rows if zlib.crc32(row.document.encode()) % HELD_OUT == 0]
    kept = [row for row in rows if zlib.crc32(row.document.encode()) % HELD_OUT]
    drawn = random.Random(1).sample(kept, min(MOST_ROWS, len(kept)))
    found = linear_text([row.text for row in drawn], [row.label for row in drawn], BUCKETS)
    known = {row.phrase for row in drawn if row.label == WHOLE}
    fresh = [row for row in apart if row.label == CUT or row.phrase not in known]
    return found, {"whole_auroc": _auroc(found, apart), "whole_auroc_of_new_phrases": _auroc(found, fresh)}


def _auroc(found: LinearText, rows: Sequence[Row]) -> float:
    whole = found.probabilities([row.text for row in rows])[:, found.labels.index(WHOLE)]
    return round(auroc(list(map(float, whole)), [row.label == WHOLE for row in rows]), 3)


def whole_phrases(train: Path, kept_apart: set[str]) -> tuple[LinearText, dict[str, float]]:
    """Everything at once, from the folder of training data."""
    names, texts = names_and_texts(train, kept_apart)
    return fitted(list(rows_of(texts, names)))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--open", "--train", "--weights"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args(arguments)
    held = ReportWeights.model_validate_json(asked.weights.read_text(encoding="utf-8"))
    found, measured = whole_phrases(asked.train, trial_numbers(read_data(asked.open)))
    changed = held.model_copy(update={"phrases": found, "measured": {**held.measured, **measured}})
    asked.weights.write_text(changed.model_dump_json() + "\n", encoding="utf-8")
    print(measured)


if __name__ == "__main__":
    main()
