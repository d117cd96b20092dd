"""The user's own library as a searcher: the meaning ranking and the word ranking of an index, fused."""

from __future__ import annotations

from collections.abc import Sequence

from .index import Index
from .search import fuse
from .types import EVERYTHING, Hit, Where


class HybridSearcher:
    """Searches the documents of an index that are as `where` says; several passages of one section count once."""

    def __init__(self, index: Index, *, name: str = "library", depth: int = 50, where: Where = EVERYTHING):
        self.index = index
        self.name = name
        self.depth = depth
        self.where = where

    def search(self, query: str, k: int) -> list[Hit]:
        """The best `k`, each with its query and rank."""
        depth = max(k, self.depth)
        dense = self.index.search_dense(query, depth, self.where)
        fused = fuse([dense, self.index.search_lexical(query, depth, self.where)], 2 * depth)
        best = sections_once(fused)[: max(k, 0)]
        return [hit.model_copy(update={"query": query, "rank": rank}) for rank, hit in enumerate(best, start=1)]


def sections_once(hits: Sequence[Hit]) -> list[Hit]:
    """The best passage of each section first, in their order, then the others in theirs.

    A section is what stands under one heading; where a text has no headings, a passage and its neighbours.
    """
    first: list[Hit] = []
    others: list[Hit] = []
    seen: set[object] = set()
    for hit in hits:
        passage = hit.passage
        own = {(passage.source.id, passage.path)} if passage.path else {passage.id}
        (others if own & seen else first).append(hit)
        seen |= own if passage.path else {passage.before, passage.id, passage.after}
    return first + others
