"""Questions put to tables: what is asked by its wording, which column by an embedder, both with weights fitted beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent import lookups
from palimpsest.agent.asking import plain_question
from palimpsest.agent.computing import Operation
from palimpsest.agent.lookups import Reading, ReadOff, RecordWeights, Undecided
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Passage


class Holds(Protocol):
    """What holds documents and embeds texts: a `Corpus`."""

    def tables(self, passages: Sequence[Passage]) -> list[Table]: ...

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class TableReader:
    """The agent's `Records` over a corpus. `off` reads a row where the names of its columns do not decide."""

    def __init__(self, corpus: Holds, fitted: RecordWeights, off: ReadOff | None = None):
        self._corpus, self._fitted, self._off = corpus, fitted, off
        self.belief = fitted.belief

    def operation(self, question: str) -> Operation:
        """What a question asks to be done with rows, by its wording."""
        found = self._fitted.operations.probabilities([plain_question(question)])[0]
        label: Operation = self._fitted.operations.labels[int(found.argmax())]  # type: ignore[assignment]
        return label if found.max() >= self._fitted.sure else "value"

    def tables(self, passages: Sequence[Passage]) -> list[Table]:
        return self._corpus.tables(passages)

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]:
        return self._corpus.tables_beside(passages)

    def read(
        self, question: str, operation: Operation, tables: Sequence[Table], is_aside: bool = False
    ) -> Reading | Undecided | None:
        return lookups.read(question, operation, tables, self._fitted.columns, self._near, self._off, is_aside)

    def column(self, words: str, columns: Sequence[str]) -> str:
        return lookups.meant_column(words, columns, self._fitted.columns, self._near)

    def _near(self, question: str, names: Sequence[str]) -> list[float]:
        vectors = self._corpus.embed([question, *names])
        return [float(vectors[0] @ row) for row in vectors[1:]]
