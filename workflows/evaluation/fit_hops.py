"""Fit how far an answer can be believed that was read with all hops of its question on one canvas: two numbers of `agent.json`.

    python -m palimpsest.workflows.evaluation.fit_hops --data TRAIN --index FOLDER --numbers agent.json [--count 110]

The whole loop answers questions of several hops that training leaves out, for none of their paragraphs is marked as the one that holds
the answer, over the paragraphs of all of them. How often an answer of each belief is right gives slope and offset (Platt), with every
answer counted that the slot for scope takes for one of several looks. What is written does not rest on the two numbers:
`agent.hops.chance` turns a belief by them where it is told. A second half of the answers is kept from a first fit, and the error on it
is printed.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from palimpsest.agent.hops import takes_several
from palimpsest.agent.numbers import Numbers, odds, probability
from palimpsest.agent.state import Budget, Tools
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.metrics import calibration
from palimpsest.dlm_core.training.examples import Row as Line
from palimpsest.dlm_core.training.gather import SOURCES, read_named
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.types import Document, Found

from ..corpus import open_embedder
from .suites import Question, Row, Suite, evaluate

FILE = "multihop_qa"
NEWTON, STRIDE = 200, 0.5  # steps, none longer: from beliefs far too sure a whole one leads away


class Given(NamedTuple):
    """An answer that was written: its belief in log-odds, and whether it is right."""

    belief: float
    right: bool


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
        found = found - np.clip(np.linalg.solve(curve, slope), -STRIDE, STRIDE)
    return float(found[0]), float(found[1])


def given_of(rows: Sequence[Row]) -> list[Given]:
    return [Given(odds(r.confidence), r.exact > 0) for r in rows if r.confidence is not None]


def ece(given: Sequence[Given], slope: float = 1.0, offset: float = 0.0) -> float:
    """Expected calibration error of answers whose beliefs are turned so."""
    believed = [probability(slope * g.belief + offset) for g in given]
    return calibration(believed, [float(g.right) for g in given])["ece"]


def unmarked(data: Path) -> list[Line]:
    """The questions that no training reads, each once; those of which a paragraph is known to lack are left out too."""
    rows = [r for r in read_named(data, FILE) if r["gold_complete"] is None]
    return list({r["question"]: r for r in rows if SOURCES[FILE].thin(r) is None}.values())


def documents(rows: list[Line]) -> list[Document]:
    """Every paragraph once."""
    paragraphs = {(p["title"], " ".join(s.strip() for s in p["sentences"])) for r in rows for p in r["paragraphs"]}
    found = [document(text, uri=f"{FILE}:{title}", title=title) for title, text in sorted(paragraphs)]
    return list({d.source.id: d for d in found}.values())


def questions(rows: list[Line]) -> list[Question]:
    """Which paragraphs are gold nobody marked, so none is counted as cited."""
    return [Question(id=str(n), text=r["question"], answers=(r["answer"],), gold=("",)) for n, r in enumerate(rows)]


def turned(old: Numbers, given: list[Given], of: int) -> Numbers:
    slope, offset = fit(given)
    said = f"hop_slope and hop_offset by fit_hops on {len(given)} answers to {of} questions of {FILE}"
    found = {"hop_slope": round(slope, 3), "hop_offset": round(offset, 3)}
    return old.model_copy(update={**found, "fitted_on": f"{old.fitted_on.split('; hop_slope')[0]}; {said}"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.workflows.evaluation.fit_hops", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of training files")
    parser.add_argument("--index", type=Path, required=True, help="an empty folder for the index")
    parser.add_argument("--numbers", type=Path, required=True, help="the agent.json to read, and to write the two into")
    parser.add_argument("--count", type=int, default=110, help="questions")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    old = Numbers.model_validate_json(args.numbers.read_bytes())
    plain = untold(old)
    writer, every = ModelWriter(seed=args.seed), unmarked(args.data)
    tools = Tools(writer, lambda queries, k: Found(), plain)
    rows = random.Random(f"hotnull/{args.seed}").sample(every, min(args.count, len(every)))
    asked = questions([r for r in rows if takes_several(tools, r["question"])])
    suite = Suite("hops", __doc__ or "", lambda data, pages: documents(rows), lambda data: asked)
    read: list[Row] = []
    for item in evaluate(
        suite, args.data, args.index, writer=writer, embedder=open_embedder(), limit=0, seed=args.seed, budget=Budget(), numbers=plain
    ):  # fmt: skip
        if isinstance(item, Row):
            read.append(item)
            print(f"{len(read):4} {item.exact:.0f} {item.confidence or 0:.2f} {item.question[:80]}", flush=True)
    given = given_of(read)
    held, kept = given[::2], given[1::2]
    print(f"the half that fits nothing: ECE {ece(held):.3f} before, {ece(held, *fit(kept)):.3f} after")
    found = turned(old, given, len(asked))
    print(f"{len(given)} of {len(asked)} answered, {sum(g.right for g in given)} right: {found.fitted_on}")
    args.numbers.write_text(json.dumps(found.model_dump(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
