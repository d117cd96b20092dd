"""Embedders that know nothing of meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.types import Words

BASE = 0.35  # how much alike any two words are


class AlikeEmbedder(HashEmbedder):
    """Vectors of hashed words; of single words any two are somewhat alike, as those of a trained embedder are."""

    def words(self, texts: Sequence[str]) -> list[Words]:
        return [self._mixed(words) for words in super().words(texts)]

    def _mixed(self, words: Words) -> Words:
        common = np.full((len(words.ids), 1), BASE**0.5)
        return words._replace(states=np.hstack([common, (1 - BASE) ** 0.5 * words.states]).astype(np.float16))
