"""Fit from which probability on a slot of the embedded model decides what other means decided before.

    python -m palimpsest.workflows.evaluation.fit_slots --train FOLDER

`slot_fact`: a question that its wording leaves unsure is taken for one of fact where the slot for kinds gives at least this. Fitted on
question_types.jsonl.gz, whose questions no training of the weights saw: the least step from which on at most one in fifty of the
questions that ask for no fact, and that the wording calls open, is turned. Nothing is written: the number belongs into thresholds.json.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from palimpsest.agent import asking, thresholds
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.training.examples import read_rows

from ..calibration import report_weights
from ..corpus import open_embedder

NO_FACT = ("COMPARISON", "DEBATE", "EVIDENCE-BASED", "INSTRUCTION", "REASON")  # what the set says of no fact
MOST_TURNED = 0.02
STEPS = tuple(round(0.05 * n, 2) for n in range(10, 20))


class Kinds(NamedTuple):
    """The probability that a question asks for no fact, by its wording, and that it asks for one, by the slot."""

    open_by_wording: float
    fact_by_slot: float

    @property
    def is_called_open(self) -> bool:
        return self.open_by_wording >= thresholds.SHIPPED.maybe_open

    def is_turned(self, least: float) -> bool:
        is_unsure = self.is_called_open and self.open_by_wording < thresholds.SHIPPED.surely_open
        return is_unsure and self.fact_by_slot >= least


def turned(found: Sequence[Kinds], least: float) -> float:
    """The share of what the wording calls open that the slot would call a fact."""
    called = [kinds for kinds in found if kinds.is_called_open]
    return sum(kinds.is_turned(least) for kinds in called) / max(len(called), 1)


def fit(found: Sequence[Kinds]) -> float:
    """The least step at which few enough are turned; 1 where none is."""
    return next((least for least in STEPS if turned(found, least) <= MOST_TURNED), 1.0)


def kinds_of(questions: Sequence[str]) -> list[Kinds]:
    fitted, writer = report_weights(), ModelWriter(threads=1)
    classify = asking.by_wording(fitted.kinds, open_embedder().embed if fitted.kinds.meaning else None)
    return [Kinds(1 - classify(q)["fact"], writer.kinds(q)["fact"]) for q in questions]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m palimpsest.workflows.evaluation.fit_slots",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="questions of each kind")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rows = [r for r in read_rows(chosen.train / "question_types.jsonl.gz") if r["category"] in NO_FACT]
    random.Random(chosen.seed).shuffle(rows)
    some = [r["question"] for name in NO_FACT for r in [r for r in rows if r["category"] == name][: chosen.count]]
    found = kinds_of(some)
    for least in STEPS:
        print(f"from {least}: {100 * turned(found, least):.1f} % of {sum(k.is_called_open for k in found)} turned")
    print(f"slot_fact {fit(found)}")


if __name__ == "__main__":
    main()
