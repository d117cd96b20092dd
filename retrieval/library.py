"""The user's own library as a searcher: the meaning ranking and the word ranking of an index, fused."""

from __future__ import annotations

from collections.abc import Sequence

from .index import Index
from .search import fuse
from .types import EVERYTHING, Hit, Where

SPREAD = 8  # passages ahead, each of another section; who reads on wants what is best, several of one section or not


class HybridSearcher:
    """Searches the documents of an index that are as `where` says; among the first SPREAD no section stands twice."""

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

    A section is what stands under one heading within a document; under its title alone, or without headings, every passage
    stands for itself: neighbours there often hold different parts of an answer (measured: see recall.py). A heading that is a part of
    the title, or holds it, is the title too: "ORTA HARBOUR BOARD" of "ORTA HARBOUR BOARD – Minutes of 3 May".
    """
    first: list[Hit] = []
    others: list[Hit] = []
    seen: set[object] = set()
    for hit in hits:
        passage = hit.passage
        own = (passage.source.id, *(() if _is_title(passage.path, passage.source.title) else passage.path))
        (others if len(own) > 1 and own in seen else first).append(hit)
        seen.add(own)
    return first + others


def _is_title(path: Sequence[str], title: str) -> bool:
    return len(path) == 1 and bool(title) and (path[0] in title or title in path[0])
