"""Average precision by hand, and the relevance slot asked of sentences."""

from __future__ import annotations

import pytest

from palimpsest.dlm_core.evaluation.relevance import answer_sentences, average_precision, relevances

from ..world import small_denoiser

SENTENCES = [f"Ship number {n} runs at {n} knots." for n in range(8)]


def test_average_precision_by_hand() -> None:
    assert average_precision([0.9, 0.8, 0.1], [True, False, True]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([0.1, 0.9], [True, False]) == pytest.approx(0.5)


def test_every_sentence_is_judged_beside_its_neighbours() -> None:
    found = relevances(small_denoiser(), "How fast is ship number 7?", "Ships", SENTENCES)
    assert len(found) == 8
    assert all(0 < p < 1 for p in found)
    alone = relevances(small_denoiser(), "How fast is ship number 7?", "Ships", SENTENCES[6:])
    assert found[6:] == pytest.approx(alone, abs=1e-5)  # fp32: another batch adds in another order


def test_questions_without_a_right_sentence_are_left_out() -> None:
    row = {"question": "Which ship runs at 3 knots?", "title": "Ships", "sentences": SENTENCES, "answer_sentences": [3]}
    found = answer_sentences(small_denoiser(), [row, {**row, "answer_sentences": []}])
    assert found["n"] == 1
    assert found["of_shared_words"] == 1.0
