"""Fit what an answer is believed for: what the model says of it, where it stands, and the kind of its figure; in `agent.json`.

    python -m palimpsest.workflows.evaluation.fit_belief --eval FOLDER --pages FILE --facts FILE --numbers agent.json

The whole loop answers questions of the suite wikipedia, without the hundred that `research eval wikipedia --seed 3` measures, and those
of files of facts: a line {"folder": DOCUMENTS, "question": WORDS, "answers": [WORDS, ...]} each, with no answers where the documents
tell none. Every answer that was read is right or wrong; a logistic regression gives the weights. What agreement, several hops and the
rest are worth keeps its proportion to a reading, and the thresholds stay. By folds over questions it prints how many of the answers
that are likelier right than not are.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from palimpsest.agent import belief
from palimpsest.agent.answer_kinds import fitting, suiting
from palimpsest.agent.evidence_text import content
from palimpsest.agent.loop import run
from palimpsest.agent.numbers import UNCALIBRATED, Numbers, log_odds
from palimpsest.agent.state import Budget, Candidate, ResearchState, Tools, Writer
from palimpsest.agent.weighing import Matrix
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.metrics import exact
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.library import HybridSearcher
from palimpsest.retrieval.search import search_all

from ..calibration import answer_kinds, report_weights
from ..config import Config
from ..corpus import Corpus, default_folder, open_embedder, tools
from ..reading import SelectingReader
from .linear_fit import logistic
from .suites import SUITES, fill, last, sample

FITTED = ("reading", "holds", "behind", "suits", "foreign")
IN_PROPORTION = ("agreement", "verdict", "verdict_most", "together", "hops", "chain", "margin")
MEASURED = (100, 3)  # questions of wikipedia that are measured, and the seed that draws them
PENALTY, FOLDS, MORE_WORDS = 3.0, 10, 3


class Asked(NamedTuple):
    """The answers that were read of one question: `table` [n, FITTED], and `right` [n], 0 or 1."""

    table: Matrix
    right: Matrix


def asked(state: ResearchState, able: Tools, answers: Sequence[str]) -> Asked:
    """What was read in a finished state, each answer with what it may be believed for."""
    rows, right = [], []
    for question in state.facts:
        read = [
            h
            for h in state.graph.answers(question.id)
            if h.status != "refuted" and h.computation is None and not h.is_end
        ]
        places = belief.where(state, able, question, read) if read else np.zeros((0, 2))
        for h, (holds, behind) in zip(read, places, strict=True):
            own = h.support[0]
            candidate = Candidate(text=h.text, passage=own.passage, start=own.start, end=own.end, probability=h.read)
            suits, foreign = (
                -belief.astray(state, replace(able, numbers=UNCALIBRATED.model_copy(update={name: 1.0})), question, candidate)
                for name in ("suits", "foreign")
            )  # fmt: skip
            rows.append((log_odds(h.read), holds, -behind, suits, foreign))
            right.append(float(says(h.text, answers)))
    return Asked(np.array(rows, dtype=np.float64).reshape(-1, len(FITTED)), np.array(right))


def says(text: str, answers: Sequence[str]) -> bool:
    """Whether words are one of the answers, or hold all of its words and few others: "cost of £342" for "£342"."""
    own = content(text)
    return exact(text, answers) > 0 or any(
        (wanted := content(answer)) and wanted <= own and len(own) <= len(wanted) + MORE_WORDS for answer in answers
    )


def fit(found: Sequence[Asked]) -> tuple[Matrix, float]:
    """The weights [FITTED] in log-odds, and the prior; every question weighs the same."""
    found = [one for one in found if len(one.right)]
    table, right = np.vstack([one.table for one in found]), np.concatenate([one.right for one in found])
    importance = np.concatenate([np.full(len(one.right), 1.0 / len(one.right)) for one in found])
    mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
    weights, offset = logistic((table - mean) / scale, right, importance / importance.mean(), PENALTY)
    return weights / scale, float(offset - (weights * mean / scale).sum())


def by_folds(found: Sequence[Asked], seed: int = 0) -> tuple[int, int, int]:
    """How many questions are answered likelier than not, how many of those rightly, and of how many the likeliest answer is right."""
    order = random.Random(seed).sample(range(len(found)), len(found))
    said = right = first = 0
    for fold in range(min(FOLDS, len(found))):
        tested = set(order[fold::FOLDS])
        weights, prior = fit([one for n, one in enumerate(found) if n not in tested])
        for one in (found[n] for n in tested if len(found[n].right)):
            odds = one.table @ weights + prior
            best = int(odds.argmax())
            said, right = said + bool(odds[best] > 0), right + bool(odds[best] > 0 and one.right[best])
            first += bool(one.right[best])
    return said, right, first


def numbers(old: Numbers, weights: Matrix, prior: float, of: str) -> Numbers:
    """The numbers with these weights, and with all others in the proportion to a reading that they had."""
    kept = {name: round(float(weight), 3) for name, weight in zip(FITTED, weights, strict=True)}
    grown = kept["reading"] / old.reading
    kept |= {name: round(getattr(old, name) * grown, 3) for name in IN_PROPORTION}
    return old.model_copy(update={**kept, "prior": round(prior, 3), "fitted_on": f"{of}; {old.fitted_on}"})


def of_wikipedia(
    data: Path, pages: Path, index_folder: Path, count: int, seed: int, writer: Writer, old: Numbers
) -> Iterator[Asked]:
    """Questions of the suite that are not measured, over its pages."""
    suite, embedder, told = SUITES["wikipedia"], open_embedder(), answer_kinds()
    every = suite.questions(data)
    measured = {q.id for q in sample(every, *MEASURED)}
    reader = SelectingReader(embedder, report_weights())
    with Index.open(index_folder, embedder) as index:
        for _ in fill(index, suite.documents(data, pages)):
            pass
        searcher = HybridSearcher(index)
        able = Tools(
            writer, lambda queries, k: search_all([searcher], queries, k), old,
            fits=fitting(told, reader.vectors), suits=suiting(told, reader.vectors), words=reader.words,
        )  # fmt: skip
        for question in (q for q in sample(every, count, seed) if q.id not in measured):
            yield _answered(question.text, able, question.answers)


def of_facts(lines: Sequence[dict[str, Any]], old: Numbers) -> Iterator[Asked]:
    """Facts asked of folders of documents, as `research run` asks them."""
    for folder in dict.fromkeys(line["folder"] for line in lines):
        config = Config(docs=[folder])
        corpus = Corpus(config)
        able = replace(tools(config, corpus), reader=None, numbers=old)
        yield from (_answered(x["question"], able, x["answers"]) for x in lines if x["folder"] == folder)
        corpus.close()


def _answered(question: str, able: Tools, answers: Sequence[str]) -> Asked:
    return asked(last(run(ResearchState(question=question, budget=Budget()), able)), able, answers)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m palimpsest.workflows.evaluation.fit_belief", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--eval", type=Path, required=True, help="the folder of evaluation files")
    parser.add_argument("--pages", type=Path, required=True, help="the pages of the haystack")
    parser.add_argument("--index", type=Path, help="folder of the index of the pages")
    parser.add_argument("--facts", type=Path, nargs="*", default=[], help="files of facts asked of folders")
    parser.add_argument("--numbers", type=Path, required=True, help="the agent.json to read, and to write into")
    parser.add_argument("--count", type=int, default=260)
    parser.add_argument("--seed", type=int, default=21)
    chosen = parser.parse_args()
    old = Numbers.model_validate_json(chosen.numbers.read_bytes())
    folder = chosen.index or default_folder() / "fit-belief"
    lines = [json.loads(line) for path in chosen.facts for line in path.read_text(encoding="utf-8").splitlines()]
    found = list(of_facts(lines, old))
    found += of_wikipedia(
        chosen.eval,
        chosen.pages,
        folder,
        chosen.count,
        chosen.seed,
        ModelWriter(seed=chosen.seed),
        old,
    )
    said, right, first = by_folds(found)
    print(
        f"by folds: of {len(found)} questions {first} first answers are right; {said} are likelier right than not, {right} are"
    )
    weights, prior = fit(found)
    of = f"{', '.join(FITTED)} and prior by fit_belief on {len(found)} questions, {len(lines)} of them facts asked of folders"
    chosen.numbers.write_text(
        json.dumps(numbers(old, weights, prior, of).model_dump(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(dict(zip(FITTED, np.round(weights, 3).tolist(), strict=True)), "prior", round(prior, 3))


if __name__ == "__main__":
    main()
