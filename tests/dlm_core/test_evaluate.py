from __future__ import annotations

import pytest

from palimpsest.dlm_core.evaluate import _difference, auroc, calibration, claim_only, exact, f1, normalise, silent_pairs


def test_squad_scores() -> None:
    assert normalise("The  Eiffel Tower!") == "eiffel tower"
    assert exact("the tower", ["Tower", "x"]) == 1.0
    assert f1("red tower", ["the blue tower"]) == pytest.approx(0.5)
    assert f1("", [""]) == 1.0
    assert f1("word", [""]) == 0.0


def test_auroc_counts_ties_half() -> None:
    assert auroc([0.9, 0.8, 0.1], [1, 1, 0]) == 1.0
    assert auroc([0.5, 0.5], [1, 0]) == 0.5
    assert auroc([0.1, 0.9], [1, 0]) == 0.0


def test_calibration_error_is_the_gap_between_belief_and_truth() -> None:
    assert calibration([0.9] * 10, [1.0] * 9 + [0.0])["ece"] == pytest.approx(0.0, abs=1e-9)
    assert calibration([0.9] * 10, [0.0] * 10)["ece"] == pytest.approx(0.9)


def test_difference_of_two_claims() -> None:
    assert _difference("a red fox ran", "a blue wolf ran") == ("a ", "red fox", " ran", "blue wolf")
    assert _difference("It began.", "It ended.") == ("It ", "began.", "", "ended.")


def test_a_silent_pair_is_never_the_claims_own_group() -> None:
    rows = [
        {"id": f"{n}{tail}", "claim": f"claim {n}", "evidence": f"evidence {n}{tail}"}
        for n in range(9, 60)
        for tail in ("", "0000003")
    ]
    for (claim, evidence), row in zip(silent_pairs(rows, 0), rows, strict=True):
        assert claim == row["claim"]
        assert evidence.split()[1].removesuffix("0000003") != row["claim"].split()[1]


def test_the_claim_only_baseline_finds_a_leak() -> None:
    """On claims that give their label away it is perfect: so where it stays at half, there is no leak to find."""
    train = [{"claim": f"never {n}", "label": "not_entailment"} for n in range(20)] + [
        {"claim": f"is {n}", "label": "entailment"} for n in range(20)
    ]
    rows = [{"claim": "never x", "label": "REFUTES"}, {"claim": "is x", "label": "SUPPORTS"}]
    assert claim_only(train, rows) == 100.0
