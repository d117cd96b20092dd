"""Fit what the agent's belief is worth with the weights that stand: `agent.json`.

    python -m palimpsest.workflows.evaluation.fit_numbers --apart FOLDER --index FOLDER --out agent.json

The whole loop answers questions of titles that no training of the weights saw (`gather --apart`: search queries of qed_train, questions
of squad_train, over their own paragraphs among pages that hold no answer). How often an answer of each belief is right gives a slope
and an offset (Platt). All weights in log-odds are stretched by the slope, the prior is moved too, and the thresholds on belief move
with them: every decision between answers stays what it was, and only how far a report's confidence can be believed changes. Half of
the answers are kept from a first fit, and the error on them is printed before and after.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from palimpsest.agent.numbers import Numbers, odds, probability
from palimpsest.agent.state import Budget
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.metrics import calibration
from palimpsest.dlm_core.training.gather import read_named
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.types import Document

from ..calibration import numbers_of
from ..corpus import open_embedder
from .suites import Question, Row, Suite, evaluate

IN_LOG_ODDS = (
    "reading", "holds", "behind", "suits", "foreign", "agreement", "verdict", "verdict_most", "together", "margin",
)  # fmt: skip
ON_BELIEF = ("established", "unsure")
NEWTON = 50  # steps; a dozen settle two weights
HAYSTACK = 400  # pages beside the paragraphs that are asked about


class Given(NamedTuple):
    """An answer that was written: its belief in log-odds, and whether it is right."""

    belief: float
    right: bool


def stretched(numbers: Numbers, slope: float, offset: float) -> Numbers:
    """The same decisions, with every belief b turned into slope * b + offset; what is told of answers of several hops stays."""
    told = numbers.hop_slope / slope
    changed = {name: round(getattr(numbers, name) * slope, 4) for name in IN_LOG_ODDS}
    changed |= {name: round(probability(slope * odds(getattr(numbers, name)) + offset), 4) for name in ON_BELIEF}
    changed |= {"hop_slope": round(told, 4), "hop_offset": round(numbers.hop_offset - told * offset, 4)}
    return numbers.model_copy(update={**changed, "prior": round(numbers.prior * slope + offset, 4)})


def untold(numbers: Numbers) -> Numbers:
    """The numbers with which a row's confidence is the belief that decides, of answers of several hops too."""
    return numbers.model_copy(update={"hop_slope": 1.0, "hop_offset": 0.0})


def fit(given: Sequence[Given]) -> tuple[float, float]:
    """Slope and offset of a logistic regression of right on belief, drawn to 1 and 0. ValueError where all are right or none is."""
    beliefs, right = np.array([[g.belief, 1.0] for g in given]), np.array([float(g.right) for g in given])
    if not 0 < right.sum() < len(given):
        raise ValueError(f"of {len(given)} answers {int(right.sum())} are right: nothing can be fitted to that")
    start = np.array([1.0, 0.0])
    found = start
    for _ in range(NEWTON):
        guessed = 1 / (1 + np.exp(-beliefs @ found))
        slope = beliefs.T @ (guessed - right) + found - start
        curve = (beliefs * (guessed * (1 - guessed))[:, None]).T @ beliefs + np.eye(2)
        found = found - np.linalg.solve(curve, slope)
    return float(found[0]), float(found[1])


def given_of(rows: Sequence[Row]) -> list[Given]:
    return [Given(odds(r.confidence), r.exact > 0) for r in rows if r.confidence is not None]


def ece(given: Sequence[Given], slope: float = 1.0, offset: float = 0.0) -> float:
    """Expected calibration error of answers whose beliefs are turned so."""
    believed = [probability(slope * g.belief + offset) for g in given]
    return calibration(believed, [float(g.right) for g in given])["ece"]


def suite(count: int, seed: int) -> Suite:
    """Questions of titles held out, `count` of each of the two files, over their paragraphs among other pages."""

    def documents(apart: Path, pages: Path | None) -> list[Document]:
        asked = {d.source.id: d for name in FILES for d in _paragraphs(apart, name, count, seed)}
        pieces = read_named(apart, "wikipedia_pages")[:HAYSTACK]
        others = [
            document("\n\n".join(t for _, t in p["paragraphs"]), uri=f"apart:{p['title']}", title=p["title"])
            for p in pieces
        ]
        return list({**{d.source.id: d for d in others}, **asked}.values())

    return Suite("apart", __doc__ or "", documents, lambda apart: _questions(apart, count, seed))


FILES = ("qed_train", "squad_train")


def _rows(apart: Path, name: str, count: int, seed: int) -> list[dict[str, object]]:
    rows = read_named(apart, name)
    return random.Random(f"{name}/{seed}").sample(rows, min(count, len(rows)))


def _paragraphs(apart: Path, name: str, count: int, seed: int) -> Iterator[Document]:
    for row in _rows(apart, name, count, seed):
        yield _document(name, row)


def _document(name: str, row: dict[str, object]) -> Document:
    title = str(row["title"]).replace("_", " ")
    return document(str(row["context"]), uri=f"{name}:{title}", title=title)


def _questions(apart: Path, count: int, seed: int) -> list[Question]:
    return [
        Question(
            id=f"{name}/{n}", text=str(row["question"]), answers=tuple(_golds(row)), gold=(_document(name, row).source.id,)
        )
        for name in FILES
        for n, row in enumerate(_rows(apart, name, count, seed))
    ]  # fmt: skip


def _golds(row: dict[str, object]) -> list[str]:
    found = row["answers"]
    assert isinstance(found, list), "the gathered rows hold a list of answers"
    return [a if isinstance(a, str) else str(a["text"]) for a in found]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.workflows.evaluation.fit_numbers", description=__doc__)
    parser.add_argument("--apart", type=Path, required=True, help="a folder that training.gather --apart wrote")
    parser.add_argument("--index", type=Path, required=True, help="an empty folder for the index")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--count", type=int, default=80, help="questions of each file")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    old = numbers_of("embedded")
    items = evaluate(
        suite(args.count, args.seed), args.apart, args.index, writer=ModelWriter(seed=args.seed), embedder=open_embedder(), limit=0,
        seed=args.seed, budget=Budget(), numbers=untold(old),
    )  # fmt: skip
    rows: list[Row] = []
    for item in items:
        if isinstance(item, Row):
            rows.append(item)
            print(f"{len(rows):4} {item.exact:.0f} {item.confidence or 0:.2f} {item.question[:80]}", flush=True)
    given = given_of(rows)
    random.Random(args.seed).shuffle(given)
    held, kept = given[: len(given) // 2], given[len(given) // 2 :]
    slope, offset = fit(kept)
    print(f"{len(rows)} questions, {len(given)} answered, {sum(g.right for g in given)} of them right")
    print(f"fitted on half: ECE of the other half {ece(held):.3f} before, {ece(held, slope, offset):.3f} after")
    slope, offset = fit(given)
    cases = f"{len(given)} answers to {len(rows)} questions of qed_train and squad_train, titles held out"
    said = f"{old.fitted_on.split(';')[0]}; its scale by fit_numbers on {cases}: slope {slope:.3f}, offset {offset:.3f}"
    found = stretched(old, slope, offset).model_copy(update={"fitted_on": said})
    args.out.write_text(json.dumps(found.model_dump(), indent=1) + "\n", encoding="utf-8")
    print(said)


if __name__ == "__main__":
    main()
