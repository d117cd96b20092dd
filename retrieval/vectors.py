"""Vectors in memory, searched exactly by FAISS; they are read from the store, so no file of their own can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Numbers = NDArray[np.int64]


def dense_exact(vectors: Matrix, query: Matrix, k: int) -> Numbers:
    """Rows of `vectors` [n, d] with the largest dot product with `query` [d], best first: the plain twin of FAISS."""
    return np.argsort(-(vectors @ query), kind="stable")[: max(k, 0)].astype(np.int64)


class Vectors:
    """Unit vectors by passage number."""

    def __init__(self, dim: int, numbers: Numbers, matrix: Matrix):
        """`numbers` [n] and `matrix` [n, dim]."""
        import faiss

        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self.add(numbers, matrix)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, numbers: Numbers, matrix: Matrix) -> None:
        if len(numbers):
            self._index.add_with_ids(np.ascontiguousarray(matrix), numbers)

    def remove(self, numbers: Sequence[int]) -> None:
        if len(numbers):
            self._index.remove_ids(np.array(numbers, dtype=np.int64))

    def search(self, query: Matrix, k: int, among: Numbers | None = None) -> list[tuple[int, float]]:
        """The best `k` (number, cosine) for `query` [1, dim], `among` those numbers if given; ties by number."""
        import faiss

        k = min(k, len(self) if among is None else len(among))
        if k <= 0:
            return []
        make: Any = faiss.SearchParameters  # its stub knows no arguments
        chosen = None if among is None else make(sel=faiss.IDSelectorBatch(among))
        scores, numbers = self._index.search(query, k, params=chosen)
        pairs = [(int(n), float(s)) for n, s in zip(numbers[0], scores[0], strict=True) if n >= 0]  # FAISS pads with -1
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def held(self) -> tuple[Numbers, Matrix]:
        """Numbers [n] and vectors [n, dim], by number."""
        import faiss

        numbers: Numbers = faiss.vector_to_array(self._index.id_map)
        order = np.argsort(numbers)
        return numbers[order], self._index.index.reconstruct_n(0, len(numbers))[order]
