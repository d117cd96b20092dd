"""Passages of fetched documents for a few queries: by words first, then the best of them by words and meaning together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..chunks import passages
from ..embed import Embedder
from ..lexical import query_tokens, tokens
from ..search import fuse
from ..types import Document, Hit, Passage

EMBEDDED = 48  # passages a query that are read for meaning; a paper has a hundred
OPENINGS = 2  # passages of every document that are among them whatever their words
K1, B = 1.2, 0.75  # BM25


class Ranker:
    """Keeps the passages and vectors of what was fetched, so that the next round reads only what is new."""

    def __init__(self, embedder: Embedder):
        self.embedder = embedder
        self._documents: dict[str, Document] = {}
        self._passages: dict[str, list[Passage]] = {}
        self._tokens: dict[str, Counter[str]] = {}
        self._vectors: dict[str, list[float]] = {}

    def add(self, documents: Sequence[Document]) -> None:
        for document in documents:
            if document.source.id not in self._documents:
                self._documents[document.source.id] = document
                self._passages[document.source.id] = passages(document)
                self._tokens |= {p.id: Counter(tokens(_searchable(p))) for p in self._passages[document.source.id]}

    def document(self, source_id: str) -> Document | None:
        return self._documents.get(source_id)

    def search(self, query: str, k: int) -> list[Hit]:
        """The best `k` passages: the ranking by words and the ranking by meaning, fused."""
        lexical = self._by_words(query)
        kept = lexical[:EMBEDDED]
        openings = [p for held in self._passages.values() for p in held[:OPENINGS]]
        dense = self._by_meaning(query, list(dict.fromkeys([hit.passage for hit in kept] + openings)))
        found = fuse([kept, dense], k)
        return [hit.model_copy(update={"query": query, "rank": rank}) for rank, hit in enumerate(found, start=1)]

    def _by_words(self, query: str) -> list[Hit]:
        wanted = query_tokens(query)
        number = len(self._tokens)
        mean = sum(counts.total() for counts in self._tokens.values()) / max(number, 1)
        holding = {word: sum(word in counts for counts in self._tokens.values()) for word in wanted}
        rarity = {word: math.log(1 + (number - held + 0.5) / (held + 0.5)) for word, held in holding.items()}
        scored = []
        for held in self._passages.values():
            for passage in held:
                counts = self._tokens[passage.id]
                length = K1 * (1 - B + B * counts.total() / max(mean, 1.0))
                score = sum(rarity[word] * counts[word] * (K1 + 1) / (counts[word] + length) for word in wanted)
                if score > 0:
                    scored.append(Hit(passage=passage, score=score, found_by=("lexical",)))
        return sorted(scored, key=lambda hit: (-hit.score, hit.passage.id))

    def _by_meaning(self, query: str, candidates: Sequence[Passage]) -> list[Hit]:
        if not candidates:
            return []
        new = [p for p in candidates if p.id not in self._vectors]
        vectors = self.embedder.embed([query, *(_searchable(p) for p in new)])
        asked = [float(value) for value in vectors[0]]
        self._vectors |= {p.id: [float(v) for v in row] for p, row in zip(new, vectors[1:], strict=True)}
        scored = [
            Hit(passage=p, score=sum(map(float.__mul__, asked, self._vectors[p.id])), found_by=("dense",))
            for p in candidates
        ]
        return sorted(scored, key=lambda hit: (-hit.score, hit.passage.id))


def _searchable(passage: Passage) -> str:
    return f"{passage.source.title}\n{passage.text}"
