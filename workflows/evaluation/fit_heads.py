"""What the choice of a heading weighs, fitted on sections of encyclopedia articles: which phrase of a section comes nearest to the
heading that people gave it.

    python -m palimpsest.workflows.evaluation.fit_heads --train FOLDER

prints, for the settings that do best on half of the pages, the mean cosine to the headings and the share of those that have half of
their words, on that half and on the other. Sections of which no phrase comes near to their heading are left out: none is right.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent import outline, thresholds
from palimpsest.agent.phrases import phrases
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.chunks import sentences
from palimpsest.retrieval.embed import MiniLMEmbedder
from palimpsest.retrieval.lexical import tokens

from ..calibration import report_weights
from ..reading import SelectingReader

NUM_PAGES, NUM_SECTIONS, MOST_SENTENCES = 500, 6, 5
SHORTEST, LONGEST = 40, 350  # characters of a sentence that is quoted
COMMON = 6  # pages on which a heading may stand: "History" says nothing of its section
REACHED = 0.6  # cosine that some phrase of a section must have to its heading
SHOWN = 5
GRID = {
    "whole": (0.0, 0.1, 0.2, 0.3),
    "covering": (0.0, 0.1, 0.2, 0.3, 0.4),
    "elsewhere": (0.0, 0.1, 0.2, 0.3, 0.5, 0.7),
}


class Page(NamedTuple):
    """A title, and for each section its heading and some of its sentences."""

    title: str
    sections: list[tuple[str, list[str]]]


class Told(NamedTuple):
    """The phrases of a section: [n, 5] cosine to its centre and the greatest to another's, shares of its texts and at most of another's
    that hold it, probability that it is whole; [n, 2] cosine to the heading and share of words that both have.
    """

    seen: NDArray[np.float32]
    right: NDArray[np.float32]


def pages(train: Path, seed: int = 0) -> Iterator[Page]:
    """Pages with sections enough, whose headings say something, in a random order."""
    rows = list(read_rows(train / "wikipedia_pages.jsonl.xz"))
    rng = random.Random(seed)
    rng.shuffle(rows)
    stands_on = Counter(heading for row in rows for heading in {heading for heading, _ in row["paragraphs"]})
    for row in rows:
        held: dict[str, list[str]] = {}
        for heading, text in row["paragraphs"]:
            if heading and stands_on[heading] <= COMMON:
                told = (text[start:end].strip() for start, end in sentences(text))
                held.setdefault(heading, []).extend(s for s in told if SHORTEST <= len(s) <= LONGEST)
        full = [(heading, told) for heading, told in held.items() if len(told) > outline.PER_SECTION]
        if len(full) >= outline.LEAST_SECTIONS:
            drawn = rng.sample(full, min(NUM_SECTIONS, len(full)))
            yield Page(row["title"], [(heading, _some(told, rng)) for heading, told in drawn])


def _some(told: Sequence[str], rng: random.Random) -> list[str]:
    count = rng.randint(outline.PER_SECTION, min(MOST_SENTENCES, len(told)))
    return [told[n] for n in sorted(rng.sample(range(len(told)), count))]


def told(page: Page, reader: SelectingReader) -> Iterator[Told]:
    """The phrases of each section of a page that may head it, as `outline.headings` weighs them."""
    texts = [own for _, own in page.sections]
    centres = np.array([(v := reader.vectors(own).mean(axis=0)) / np.linalg.norm(v) for own in texts])
    named = reader.vectors([heading for heading, _ in page.sections])
    asked, untitled = set(tokens(page.title)), [[""] * len(own) for own in texts]
    for number, own in enumerate(texts):
        whole = reader.wholeness(own)
        telling = [p for p in phrases(own) if not set(tokens(p)) <= asked]
        fit = [p for p in telling if whole.get(p.casefold(), 0.0) >= thresholds.SHIPPED.least_whole]
        if not fit:
            continue
        vectors = reader.vectors(fit)
        near, covered = vectors @ centres.T, outline.covered(fit, texts, untitled)
        others = [np.delete(table, number, axis=1).max(axis=1) for table in (near, covered)]
        sure = [whole[p.casefold()] for p in fit]
        wanted = set(tokens(page.sections[number][0]))
        shared = [len(wanted & set(tokens(p))) / len(wanted | set(tokens(p))) for p in fit]
        seen = np.column_stack([near[:, number], others[0], covered[:, number], others[1], sure])
        yield Told(seen.astype(np.float32), np.column_stack([vectors @ named[number], shared]).astype(np.float32))


def measured(sections: Sequence[Told], whole: float, covering: float, elsewhere: float) -> tuple[float, float]:
    """Mean cosine of what is chosen to the headings, and the share of it that has half of the words of both."""
    best = []
    for seen, right in sections:
        near, near_other, held, held_other, sure = seen.T
        value = near - elsewhere * near_other + covering * (held - elsewhere * held_other) + whole * sure
        best.append(right[int(np.argmax(value))])
    cosine, shared = np.array(best).T
    return float(cosine.mean()), float((shared >= 0.5).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--pages", type=int, default=NUM_PAGES)
    asked = parser.parse_args(arguments)
    reader = SelectingReader(MiniLMEmbedder(), report_weights())
    halves: tuple[list[Told], list[Told]] = ([], [])
    for number, page in enumerate(islice(pages(asked.train), asked.pages)):
        halves[number % 2].extend(t for t in told(page, reader) if t.right[:, 0].max() >= REACHED)
    shipped = tuple(getattr(thresholds.SHIPPED, name) for name in GRID)
    ranked = sorted(product(*GRID.values()), key=lambda setting: -measured(halves[0], *setting)[0])
    print(f"{len(halves[0])} and {len(halves[1])} sections; cosine and share of headings met, on each half")
    for setting in (shipped, *ranked[:SHOWN]):
        figures = [f"{value:.3f}" for half in halves for value in measured(half, *setting)]
        print(", ".join(f"{name} {value}" for name, value in zip(GRID, setting, strict=True)), *figures)


if __name__ == "__main__":
    main()
