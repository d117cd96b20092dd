"""Fit what tells a planned study from one that was done, and both from other texts, by articles whose titles say they are protocols.

    python -m palimpsest.workflows.evaluation.fit_plans --open FOLDER --train FOLDER --weights selection.json

adds `studies` to the file. The classifier reads what a report has read of a source, so it is fitted on stretches of abstracts, whose
titles it never sees, and of encyclopedia pages. Articles that the open questions are asked of are kept apart: they measure it.
"""

from __future__ import annotations

import argparse
import random
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent import thresholds
from palimpsest.agent.weighing import DONE, OTHER, PLANNED, ReportWeights
from palimpsest.agent.wording import LinearText
from palimpsest.dlm_core.metrics import auroc
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.chunks import sentences

from .linear_fit import linear_text
from .open_questions import document_id, read_data, trial_numbers

BUCKETS = 4096
LEAST, MOST, STRETCHES = 4, 14, 5  # sentences of a stretch, and stretches of an abstract
PAGES, PAGE_CHARACTERS = 6_000, 4_000
HELD_OUT = 5  # one article of so many is held out
_PROTOCOL = re.compile(  # of titles, which label; no report looks at them
    r"protocol|rationale and design|study design|design of an?\b|trial design|: design and", re.IGNORECASE
)


class Row(NamedTuple):
    """A stretch of an article or a page, and what it tells of a study, by the title of the article."""

    text: str
    label: str
    document: str


def rows_of(articles: Iterable[Mapping[str, Any]], kept_apart: set[str]) -> Iterator[Row]:
    """Stretches of the abstracts, always the same ones."""
    for article in articles:
        number, text = str(article["pmcid"]).removeprefix("PMC"), "\n".join(p["text"] for p in article["abstract"])
        if number not in kept_apart:
            yield from (Row(said, label_of(article["title"]), number) for said in stretches(text, number, STRETCHES))


def pages_of(pages: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """A stretch of each page that is long enough."""
    for page in pages:
        text = " ".join(p if isinstance(p, str) else " ".join(p) for p in page["paragraphs"])[:PAGE_CHARACTERS]
        yield from (Row(said, OTHER, page["title"]) for said in stretches(text, page["title"], 1))


def stretches(text: str, seed: str, count: int) -> Iterator[str]:
    places, rng = sentences(text), random.Random(seed)
    for _ in range(count if len(places) >= LEAST else 0):
        size = rng.randint(LEAST, min(MOST, len(places)))
        first = rng.randrange(len(places) - size + 1)
        yield " ".join(text[a:b] for a, b in places[first : first + size])


def label_of(title: str) -> str:
    return PLANNED if _PROTOCOL.search(title) else DONE


def fitted(rows: Sequence[Row]) -> tuple[LinearText, dict[str, float]]:
    """The classifier, and how it tells documents that were held out."""
    apart = [row for row in rows if zlib.crc32(row.document.encode()) % HELD_OUT == 0]
    kept = [row for row in rows if zlib.crc32(row.document.encode()) % HELD_OUT]
    found = linear_text([row.text for row in kept], [row.label for row in kept], BUCKETS)
    return found, figures(found, [(row.text, row.label) for row in apart], "studies")


def figures(found: LinearText, rows: Sequence[tuple[str, str]], name: str) -> dict[str, float]:
    """At the thresholds that are shipped: the share of plans seen and of other articles taken for plans, and the AUROC between them; of
    articles and of pages the share that is taken for studies.
    """
    likely, labels = found.probabilities([text for text, _ in rows]), [label for _, label in rows]
    plan, study = likely[:, found.labels.index(PLANNED)], 1 - likely[:, found.labels.index(OTHER)]
    kinds = {kind: [n for n, label in enumerate(labels) if label == kind] for kind in (PLANNED, DONE, OTHER)}
    articles = kinds[PLANNED] + kinds[DONE]
    told = auroc([float(plan[n]) for n in articles], [labels[n] == PLANNED for n in articles])
    limits = thresholds.SHIPPED
    shares = {
        "plans_auroc": told,
        "plans_seen": _share(plan[kinds[PLANNED]], limits.planned),
        "plans_wrongly": _share(plan[kinds[DONE]], limits.planned),
        "seen": _share(study[articles], limits.study),
        "wrongly": _share(study[kinds[OTHER]], limits.study),
        "cases": len(rows),
    }
    return {f"{name}_{key}": round(value, 3) for key, value in shares.items()}


def _share(likely: NDArray[np.float64], limit: float) -> float:
    return float((likely >= limit).mean()) if len(likely) else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--open", "--train", "--weights"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args(arguments)
    held, data = ReportWeights.model_validate_json(asked.weights.read_text(encoding="utf-8")), read_data(asked.open)
    rows = list(rows_of(read_rows(asked.train / "pmc_articles.jsonl.xz"), trial_numbers(data)))
    rows += pages_of(islice(read_rows(asked.train / "wikipedia_pages.jsonl.xz"), PAGES))
    found, measured = fitted(rows)
    texts = [(d.text, label_of(d.source.title) if "PMC" in document_id(d) else OTHER) for d in data.documents]
    measured |= figures(found, texts, "studies_apart")
    changed = held.model_copy(update={"studies": found, "measured": {**held.measured, **measured}})
    asked.weights.write_text(changed.model_dump_json() + "\n", encoding="utf-8")
    print(measured)


if __name__ == "__main__":
    main()
