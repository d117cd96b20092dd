"""Edit labels against brute force and against what they must achieve."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from palimpsest.dlm_core.training.edit_labels import Edit, edits, matches

MASK = -1
WORDS = st.lists(st.integers(0, 3), max_size=6)


def brute(draft: list[int], target: list[int]) -> int:
    """The length of the longest common subsequence, by trying all of the draft's, longest first."""
    for size in range(len(draft), 0, -1):
        for picked in combinations(draft, size):
            rest = iter(target)
            if all(any(p in (MASK, t) for t in rest) for p in picked):
                return size
    return 0


@given(st.lists(st.integers(-1, 3), max_size=6), WORDS)
def test_matches_are_a_longest_common_subsequence(draft: list[int], target: list[int]) -> None:
    found = matches(draft, target, MASK)
    assert len(found) == brute(draft, target)
    assert found == sorted(found)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
    assert all(draft[i] in (MASK, target[j]) for i, j in found)


def rounds(draft: list[int], target: list[int], most: int = 20) -> list[int]:
    """Do what the labels say until they say nothing; an insertion puts a mask before its token."""
    for _ in range(most):
        labels = edits(draft, target, MASK)
        if all(e is Edit.KEEP for e, _ in labels):
            break
        made: list[int] = []
        for (edit, word), now in zip(labels, draft, strict=True):
            if edit is Edit.INSERT:
                made += [MASK, now]
            elif edit is not Edit.DELETE:
                made.append(word)
        draft = made
    return [word for (_, word) in edits(draft, target, MASK)]


@given(WORDS, WORDS)
def test_the_labels_lead_to_the_target(draft: list[int], target: list[int]) -> None:
    """With an end that nothing comes after, round after round, any draft becomes its target."""
    assert rounds([*draft, 99], [*target, 99]) == [*target, 99]


def test_labels_by_eye() -> None:
    keep, put, drop, insert = Edit.KEEP, Edit.SUBSTITUTE, Edit.DELETE, Edit.INSERT
    assert edits([1, 2, 3], [1, 2, 3]) == [(keep, 1), (keep, 2), (keep, 3)]
    assert edits([1, 5, 3], [1, 2, 3]) == [(keep, 1), (put, 2), (keep, 3)]
    assert edits([1, 5, 5, 3], [1, 2, 3]) == [(keep, 1), (put, 2), (drop, -1), (keep, 3)]
    assert edits([1, 3], [1, 2, 3]) == [(keep, 1), (insert, -1)]
    assert edits([MASK, 3], [1, 3], MASK) == [(keep, 1), (keep, 3)]
    assert edits([], [1]) == []
