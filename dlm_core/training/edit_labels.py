"""What is to be done with each token of a draft so that it becomes the right one: keep, substitute, delete, insert.

Levenshtein editing after LLaDA2.2 (technical report, section 3.1): matches are a longest common subsequence in which a mask matches
anything; between two matches tokens are substituted pairwise, what is left of the draft is deleted, and what is left of the target
is one insertion on the token that follows, round after round.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Edit(IntEnum):
    KEEP = 0
    SUBSTITUTE = 1
    DELETE = 2
    INSERT = 3


def matches(draft: Sequence[int], target: Sequence[int], mask: int = -1) -> list[tuple[int, int]]:
    """Pairs (i, j) of a longest common subsequence; a `mask` in the draft matches any token."""
    n, m = len(draft), len(target)
    best = [[0] * (m + 1) for _ in range(n + 1)]
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            same = draft[i] in (target[j], mask)
            best[i][j] = best[i + 1][j + 1] + 1 if same else max(best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < n and j < m:
        if draft[i] in (target[j], mask):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def edits(draft: Sequence[int], target: Sequence[int], mask: int = -1) -> list[tuple[Edit, int]]:
    """For each token of the draft what to do and the token it becomes (itself where kept, -1 for a deletion or an insertion).

    An insertion at the very end has no token that follows and is left for a longer slot.
    """
    labels: list[tuple[Edit, int]] = []
    at = 0
    for i, j in [*matches(draft, target, mask), (len(draft), len(target))]:
        gap, wanted = range(len(labels), i), list(target[at:j])
        labels += [(Edit.SUBSTITUTE, wanted[n]) if n < len(wanted) else (Edit.DELETE, -1) for n in range(len(gap))]
        if i < len(draft):
            labels.append((Edit.INSERT, -1) if len(wanted) > len(gap) else (Edit.KEEP, target[j]))
        at = j + 1
    return labels
