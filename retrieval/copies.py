"""Near copies: which passages say the same in the same words, so that ten copies of one text count as one source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import regex  # type: ignore[import-untyped]

from .types import Passage

RUN_WORDS = 5
SHARED = 0.5  # of the shorter text's runs of words
# 64 bands of two hashes: a pair that shares a third of all its runs meets in one of them 999 times in 1,000.
NUM_BANDS, BAND_HASHES = 64, 2
MOST_COMPARED = 8  # texts looked at in one band: keeps the work linear where thousands of notes share a form

_WORDS = regex.compile(r"[^\W_]+(?:[-'’.,][^\W_]+)*")


def clusters(passages: Sequence[Passage]) -> dict[str, int]:
    """Passage id -> number of its cluster, from 0 in order: passages of one source or origin, or near copies, count as one.

    A near copy shares half of the shorter text's runs of five words with an earlier passage. Linear in the passages.
    """
    number: dict[str, int] = {}
    num_clusters = 0
    of_source: dict[str, int] = {}
    bands: dict[tuple[int, bytes], list[tuple[int, frozenset[str]]]] = defaultdict(list)
    for passage in passages:
        runs = _runs(passage.text)
        places = list(_bands(runs))
        if passage.id not in number:
            found = of_source.get(_who(passage), _twin(runs, places, bands))
            number[passage.id] = num_clusters if found is None else found
            num_clusters += found is None
        of_source.setdefault(_who(passage), number[passage.id])
        for place in places:
            bands[place].append((number[passage.id], runs))
    return number


def _who(passage: Passage) -> str:
    """Who says it: the work, author group or press release that a source stems from, where that is known."""
    return passage.source.origin or passage.source.id


def _twin(
    runs: frozenset[str],
    places: Sequence[tuple[int, bytes]],
    bands: dict[tuple[int, bytes], list[tuple[int, frozenset[str]]]],
) -> int | None:
    """The cluster of the first earlier text that shares enough."""
    for place in places:
        for found, others in bands[place][:MOST_COMPARED]:
            if len(runs & others) >= SHARED * min(len(runs), len(others)):
                return found
    return None


def _runs(text: str) -> frozenset[str]:
    words = [word.casefold() for word in _WORDS.findall(text)]
    return frozenset(" ".join(words[at : at + RUN_WORDS]) for at in range(max(len(words) - RUN_WORDS + 1, 1)))


def _bands(runs: frozenset[str]) -> Iterator[tuple[int, bytes]]:
    from rensa import RMinHash

    sketch = RMinHash(num_perm=NUM_BANDS * BAND_HASHES, seed=1)
    sketch.update(sorted(runs))
    rows = np.array(sketch.digest(), dtype=np.uint32).reshape(NUM_BANDS, BAND_HASHES)
    return ((band, row.tobytes()) for band, row in enumerate(rows))
