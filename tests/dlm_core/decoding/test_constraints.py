from __future__ import annotations

import random

import pytest
import torch

from palimpsest.dlm_core.decoding.constraints import OPEN, Sequences

WORDS = Sequences.of([(5, 6, 7), (5, 6), (5, 8, 7), (9,), (5, 6)])


def test_rows_are_sorted_without_repeats() -> None:
    assert WORDS.tokens.tolist() == [[5, 6, OPEN], [5, 6, 7], [5, 8, 7], [9, OPEN, OPEN]]
    assert WORDS.lengths.tolist() == [2, 3, 3, 1]


@pytest.mark.parametrize(
    ("known", "allowed"),
    [
        ((OPEN, OPEN, OPEN), [[5], [6, 8], [7]]),
        ((OPEN, 8, OPEN), [[5], [8], [7]]),
        ((OPEN, OPEN, 7), [[5], [6, 8], [7]]),
        ((OPEN, OPEN), [[5], [6]]),
        ((OPEN,), [[9]]),
        ((9, OPEN), [[], []]),
        ((OPEN,) * 4, [[], [], [], []]),
    ],
)
def test_places_settled_in_any_order_narrow_the_others(known: tuple[int, ...], allowed: list[list[int]]) -> None:
    assert [a.tolist() for a in WORDS.allowed(known)] == allowed


@pytest.mark.parametrize(
    ("prefix", "after"),
    [((), [5, 9]), ((5,), [6, 8]), ((5, 6), [OPEN, 7]), ((5, 6, 7), [OPEN]), ((4,), []), ((5,) * 4, [])],
)
def test_what_may_follow_a_prefix(prefix: tuple[int, ...], after: list[int]) -> None:
    assert WORDS.after(prefix).tolist() == after


def test_scores_count_only_the_open_places() -> None:
    words = torch.zeros(3, 10)
    words[1, 6], words[1, 8], words[2, 7] = -1.0, -2.0, -4.0
    assert WORDS.score(words, (OPEN, OPEN, OPEN)).tolist() == [-torch.inf, -5.0, -6.0, -torch.inf]
    assert WORDS.score(words, (OPEN, 8, OPEN)).tolist() == [-torch.inf, -torch.inf, -4.0, -torch.inf]


def test_no_sequences_allow_nothing() -> None:
    empty = Sequences.of([])
    assert [a.tolist() for a in empty.allowed((OPEN,))] == [[]]
    assert len(empty) == 0


def test_equal_to_a_loop_over_many_spans() -> None:
    rng = random.Random(0)
    spans = [[rng.randrange(12) for _ in range(rng.randint(1, 5))] for _ in range(300)]
    kept = Sequences.of(spans)
    for _ in range(60):
        known = [rng.choice((OPEN, OPEN, rng.randrange(12))) for _ in range(rng.randint(1, 5))]
        fit = [s for s in spans if len(s) == len(known) and all(k in (OPEN, t) for k, t in zip(known, s, strict=True))]
        assert [a.tolist() for a in kept.allowed(known)] == [sorted({s[i] for s in fit}) for i in range(len(known))]
        prefix = known[: known.index(OPEN)] if OPEN in known else known
        ends = [OPEN] if prefix in spans else []
        follow = sorted({s[len(prefix)] for s in spans if s[: len(prefix)] == prefix and len(s) > len(prefix)})
        assert kept.after(prefix).tolist() == ends + follow
