from __future__ import annotations

import torch

from palimpsest.dlm_core.decoding.constraints import PADDING, Sequences

WORDS = Sequences.in_order([(5, 8, 7), (9,), (5, 6)])


def test_rows_stay_in_the_order_listed() -> None:
    assert WORDS.tokens.tolist() == [[5, 8, 7], [9, PADDING, PADDING], [5, 6, PADDING]]
    assert WORDS.lengths.tolist() == [3, 1, 2]
    assert Sequences.in_order([]).tokens.shape == (0, 0)


def test_the_score_is_the_mean_over_a_sequence_s_own_tokens() -> None:
    words = torch.zeros(4, 10)
    words[0, 5], words[0, 9] = -1.0, -2.0
    words[1, 6], words[1, 8], words[2, 7] = -3.0, -2.0, -6.0
    words[1, 0] = words[2, 0] = -99.0  # what padding stands for is not counted
    assert WORDS.mean_score(words).tolist() == [-3.0, -2.0, -2.0]
