"""Cells that a question asks for in words of its own: the embedder names columns, the model reads the row where they do not decide.

`cells.json`: tables of our own with questions by the answer each has; "" where the table does not say. The two numbers of records.json
that weigh the model's reading were set on the tables of "set"; those of "apart" were looked at afterwards.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.agent.lookups import Reading, ReadOff
from palimpsest.agent.writer import ModelWriter
from palimpsest.retrieval.embed import Embedder
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Passage
from palimpsest.workflows.calibration import record_weights
from palimpsest.workflows.corpus import open_embedder
from palimpsest.workflows.tabling import TableReader
from tests.agent.test_lookups import table

CASES = json.loads(Path(__file__).with_name("cells.json").read_text())


class Corpus:
    def __init__(self, embedder: Embedder):
        self._embedder = embedder

    def tables(self, passages: Sequence[Passage]) -> list[Table]:
        raise AssertionError("the tables are given")

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]:
        raise AssertionError("the tables are given")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._embedder.embed(texts)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(open_embedder())


def answers(corpus: Corpus, part: str, off: ReadOff | None) -> Iterator[tuple[str, str]]:
    """(gold, what is read; "" where the question stays open)."""
    reader = TableReader(corpus, record_weights(), off)
    for case in CASES[part]:
        held = table("\n".join(case["lines"]), case["title"])
        for question, gold in case["questions"].items():
            found = reader.read(question, reader.operation(question), [held])
            yield gold, found.text if isinstance(found, Reading) else ""


def counts(found: Iterator[tuple[str, str]]) -> tuple[int, int]:
    """How many are right, and how many say something else than the table does."""
    pairs = list(found)
    return sum(gold == said != "" for gold, said in pairs), sum(said not in ("", gold) for gold, said in pairs)


@pytest.mark.parametrize("part", ["set", "apart"])
def test_a_row_is_read_where_the_names_of_columns_do_not_decide(corpus: Corpus, part: str) -> None:
    names_alone, wrong_before = counts(answers(corpus, part, None))
    read, wrong = counts(answers(corpus, part, ModelWriter(threads=1).cells))
    assert wrong == wrong_before, "a reading of the row says what the table does not say"
    assert read >= 2 * names_alone, f"{read} right, {names_alone} by the names of columns alone"


def test_what_the_model_does_not_read_stays_open(corpus: Corpus) -> None:
    assert counts(answers(corpus, "apart", lambda question, row, cells: [-math.inf] * len(cells))) == counts(
        answers(corpus, "apart", None)
    )
