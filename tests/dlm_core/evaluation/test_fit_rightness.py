"""How far a given answer can be believed to be right."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from palimpsest.dlm_core.decoding.slot_scores import mass_of
from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.denoisers.slot_calibration import Calibration
from palimpsest.dlm_core.evaluation import fit_rightness
from palimpsest.dlm_core.evaluation.fit_rightness import Given
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.training.average import elsewhere

from ..world import small_denoiser


def answers(count: int, mass: float, right: float, several: bool = False) -> list[Given]:
    return [Given(mass / 2, mass, n < right * count, several) for n in range(count)]


def test_what_is_believed_is_how_often_it_is_right() -> None:
    twins = [*answers(200, 0.9, 0.6), *answers(200, 0.2, 0.2)]
    several = [*answers(200, 0.9, 0.3, True), *answers(200, 0.2, 0.06, True)]
    fitted = replace(Calibration(), right=fit_rightness.fit([*twins, *several]))
    for mass, among, wanted in ((0.9, False, 0.6), (0.2, False, 0.2), (0.9, True, 0.3), (0.2, True, 0.06)):
        assert fitted.rightness(mass, among) == pytest.approx(wanted, abs=0.05)
    assert fit_rightness.figures(twins, fitted)["ece"] < 0.03 < fit_rightness.figures(twins, fitted)["span_ece"]


def test_a_set_is_measured_by_a_fit_that_did_not_see_it() -> None:
    rng = random.Random(0)
    twins, several = answers(40, 0.9, 0.5), answers(40, 0.9, 0.25, True)
    rng.shuffle(twins)
    rng.shuffle(several)
    other = answers(50, 0.9, 1.0)
    found = fit_rightness.fitted({"twins": twins, "elsewhere": other, "several": several}, Calibration())
    assert found.right == fit_rightness.fit([*twins, *several]), "another kind fits nothing"
    assert [found.measured[f"right_{n}_cases"] for n in ("twins", "elsewhere", "several")] == [20, 50, 20]
    assert found.measured["right_elsewhere_ece"] == pytest.approx(1 - found.rightness(0.9, False), abs=1e-6)


def test_belief_without_a_fault_has_a_floor_that_falls_with_the_cases() -> None:
    few, many = fit_rightness.floor([0.1, 0.5, 0.9] * 10), fit_rightness.floor([0.1, 0.5, 0.9] * 300)
    assert 0 < many < 0.03 < few


def test_forms_of_questions_have_figures_of_their_own_where_there_are_enough() -> None:
    whos = [Given(0.9, 0.9, n < 4, form="who") for n in range(8)]
    found = fit_rightness.by_form([*whos, Given(0.5, 0.5, True, form="when")], Calibration())
    assert (found["answer_who_cases"], found["answer_who_risk_50"]) == (8, 0.0)
    assert found["answer_who_ece"] == pytest.approx(0.4)
    assert not any(name.startswith("answer_when") for name in found)
    assert [fit_rightness.form_of(q) for q in ("In which year?", "Who?", "Is it so?")] == ["which", "who", "other"]


def test_the_nearest_other_paragraph_is_the_one_that_shares_most_words() -> None:
    texts = ["The barge was built in 1901 of oak.", "A lake is deep and cold.", "The barge was repainted by Livia."]
    rows = [
        {"title": "A", "question": "When was the barge built?", "answers": ["1901"], "context": text} for text in texts
    ]
    silent = elsewhere(rows[:1] + rows[1:], 1, random.Random(0), is_nearest=True)
    assert all("barge" in e.passages[0] for e in silent if not e.targets[0].spans)


def test_spans_that_read_alike_count_together() -> None:
    torch.manual_seed(0)
    denoiser = small_denoiser()
    canvas = denoiser.build(["Who?"], [("e", "The Marisa. A Marisa, Marisa.")], (SlotSpec(MaskKind.TEXT, 4),))
    with torch.inference_mode():
        (scores,), _ = denoiser._score([canvas], [None])
    other = mass_of(canvas, scores[0], "marisa")
    assert 0 < other <= 1
    assert mass_of(canvas, scores[0], "The Marisa") == other, "articles and case do not tell words apart"
    assert mass_of(canvas, scores[0], "Genoa") == 0
    (believed,) = denoiser.believed([canvas], 0)
    assert believed.right == denoiser.calibration.rightness(believed.mass, False)


def test_what_is_shipped_is_what_was_fitted() -> None:
    held = embedded_weights.load().calibration
    assert held.right == pytest.approx((0.8128, 0.0925, -1.6068), abs=1e-3)
    measured = held.measured
    assert [measured[f"right_{n}_cases"] for n in ("twins", "elsewhere", "several")] == [53, 90, 44]
    for name in ("twins", "elsewhere", "several"):
        assert measured[f"right_{name}_ece"] < measured[f"right_{name}_span_ece"]
    assert all(measured[f"right_{n}_auroc"] > measured[f"right_{n}_span_auroc"] for n in ("elsewhere", "several"))
