"""Fit what tells a planned study from one that was done, by articles whose titles say that they are protocols.

    python -m palimpsest.workflows.evaluation.fit_plans --open FOLDER --train FOLDER --weights selection.json

adds `plans` to the file. The classifier reads what a report has read of a source, so it is fitted on stretches of abstracts, whose
titles it never sees. Articles that the open questions are asked of are kept apart: they measure it.
"""

from __future__ import annotations

import argparse
import random
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from palimpsest.agent import thresholds
from palimpsest.agent.weighing import DONE, PLANNED, ReportWeights
from palimpsest.agent.wording import LinearText
from palimpsest.dlm_core.metrics import auroc
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.chunks import sentences

from .linear_fit import linear_text
from .open_questions import document_id, read_data, trial_numbers

BUCKETS = 4096
LEAST, MOST, STRETCHES = 4, 14, 5  # sentences of a stretch, and stretches of an abstract
HELD_OUT = 5  # one article of so many is held out
_PROTOCOL = re.compile(  # of titles, which label; no report looks at them
    r"protocol|rationale and design|study design|design of an?\b|trial design|: design and", re.IGNORECASE
)


class Row(NamedTuple):
    """A stretch of an article, and whether its title says that the study is planned."""

    text: str
    label: str
    article: str


def rows_of(articles: Iterable[Mapping[str, Any]], kept_apart: set[str]) -> Iterator[Row]:
    """Stretches of the abstracts, always the same ones."""
    for article in articles:
        number = str(article["pmcid"]).removeprefix("PMC")
        places = sentences(text := "\n".join(part["text"] for part in article["abstract"]))
        if number in kept_apart or len(places) < LEAST:
            continue
        rng = random.Random(number)
        for _ in range(STRETCHES):
            count = rng.randint(LEAST, min(MOST, len(places)))
            first = rng.randrange(len(places) - count + 1)
            said = " ".join(text[a:b] for a, b in places[first : first + count])
            yield Row(said, label_of(article["title"]), number)


def label_of(title: str) -> str:
    return PLANNED if _PROTOCOL.search(title) else DONE


def fitted(rows: Sequence[Row]) -> tuple[LinearText, dict[str, float]]:
    """The classifier, and how it tells articles that were held out."""
    apart = [row for row in rows if zlib.crc32(row.article.encode()) % HELD_OUT == 0]
    kept = [row for row in rows if zlib.crc32(row.article.encode()) % HELD_OUT]
    found = linear_text([row.text for row in kept], [row.label for row in kept], BUCKETS)
    return found, figures(found, [(row.text, row.label) for row in apart], "plans")


def figures(found: LinearText, rows: Sequence[tuple[str, str]], name: str) -> dict[str, float]:
    """AUROC, the share of plans seen and of others taken for plans at the threshold that is shipped, and how many there are."""
    likely = found.probabilities([text for text, _ in rows])[:, found.labels.index(PLANNED)]
    plans = [float(p) for p, (_, label) in zip(likely, rows, strict=True) if label == PLANNED]
    others = [float(p) for p, (_, label) in zip(likely, rows, strict=True) if label == DONE]
    limit = thresholds.SHIPPED.planned
    shares = {"seen": _share(plans, limit), "wrongly": _share(others, limit)}
    told = auroc([*plans, *others], [True] * len(plans) + [False] * len(others))
    return {f"{name}_{key}": round(value, 3) for key, value in {"auroc": told, **shares, "cases": len(plans)}.items()}


def _share(likely: Sequence[float], limit: float) -> float:
    return sum(p >= limit for p in likely) / max(len(likely), 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--open", "--train", "--weights"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args(arguments)
    held, data = ReportWeights.model_validate_json(asked.weights.read_text(encoding="utf-8")), read_data(asked.open)
    found, measured = fitted(list(rows_of(read_rows(asked.train / "pmc_articles.jsonl.xz"), trial_numbers(data))))
    trials = [(d.text, label_of(d.source.title)) for d in data.documents if "PMC" in document_id(d)]
    measured |= figures(found, trials, "plans_apart")
    changed = held.model_copy(update={"plans": found, "measured": {**held.measured, **measured}})
    asked.weights.write_text(changed.model_dump_json() + "\n", encoding="utf-8")
    print(measured)


if __name__ == "__main__":
    main()
