"""What is fitted after a plan's training: choices by what they ask, and the picture of how far they can be believed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from palimpsest.dlm_core.denoisers.slot_calibration import Calibration, KindCalibration
from palimpsest.dlm_core.kinds import RELEVANCE_SLOT, VERDICT_SLOT, MaskKind
from palimpsest.dlm_core.training import calibrate_plan
from palimpsest.dlm_core.training.material import Material
from palimpsest.dlm_core.training.reliability import PICTURE, POINTS, Curve, put

from ..world import sheet, small_denoiser


def test_what_is_too_sure_is_cooled_and_what_is_said_too_seldom_is_said_more_often() -> None:
    """Logits that always shout the first answer, right in three of five cases."""
    logits = [torch.tensor([4.0, 0.0, 0.0])] * 5
    fit = calibrate_plan.fit_choice(logits, [0, 0, 0, 2, 2])
    probabilities = fit.chosen(logits[0]).exp()
    assert fit.temperature > 1.5
    assert fit.offset > 0
    assert float(probabilities[0]) == pytest.approx(0.6, abs=0.1)
    assert float(probabilities[2]) > float(probabilities[1])


def test_a_verdict_is_not_calibrated_as_relevance_is(tmp_path: Path) -> None:
    hot, cold = KindCalibration(temperature=0.5), KindCalibration(temperature=4.0)
    found = Calibration(kinds={MaskKind.CHOICE: hot}, answers={RELEVANCE_SLOT.allowed[0]: cold})
    found.save(tmp_path / "c.json")
    denoiser = small_denoiser()
    plain, result = {}, {}
    for slot in (VERDICT_SLOT, RELEVANCE_SLOT):
        canvas = sheet(draft=(slot,))
        plain[slot] = torch.tensor(denoiser.choices([canvas], 0)[0]).log()
    denoiser.calibration = Calibration.load(tmp_path / "c.json")
    for slot in (VERDICT_SLOT, RELEVANCE_SLOT):
        result[slot] = torch.tensor(denoiser.choices([sheet(draft=(slot,))], 0)[0]).log()
    assert torch.allclose(result[VERDICT_SLOT], (plain[VERDICT_SLOT] / 0.5).log_softmax(0), atol=1e-5)
    assert torch.allclose(result[RELEVANCE_SLOT], (plain[RELEVANCE_SLOT] / 4.0).log_softmax(0), atol=1e-5)


def test_every_question_that_is_chosen_from_is_fitted_and_counted(material: Material) -> None:
    answers, curves = calibrate_plan.fit_choices(small_denoiser(), material, 12, 0)
    assert set(answers) == {slot.allowed[0] for slot, _ in calibrate_plan.ASKED.values()}
    for curve in curves:
        found = calibrate_plan.measures(curve)
        assert found[f"{curve.name}_cases"] == len(curve.right) > 0
        assert 0 <= found[f"{curve.name}_ece"] <= 1


def test_the_head_learns_from_no_more_passages_than_a_canvas_holds(material: Material) -> None:
    found = calibrate_plan.some({"twin": 0.5, "phrase": 0.5}, material, 30, random.Random(0))
    assert len(found) == 30
    assert {e.task for e in found} >= {"repair"}


def test_the_picture_has_a_square_and_its_points_for_each_curve_and_keeps_those_of_before(tmp_path: Path) -> None:
    verdict, kind = Curve("verdict", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), Curve("kind", [0.5] * 3, [1, 0, 1])
    assert verdict.points(2) == [(pytest.approx(0.15), 0.0, 2), (pytest.approx(0.85), 1.0, 2)]
    put(tmp_path, [verdict, Curve("kind", [0.9], [1])])
    put(tmp_path, [kind])
    points = json.loads((tmp_path / POINTS).read_text())
    assert points["verdict"] == [[p, r, 1] for p, r in ((0.1, 0), (0.2, 0), (0.8, 1), (0.9, 1))]
    picture = ElementTree.fromstring((tmp_path / PICTURE).read_text())
    named = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{named}polyline")) == 2
    assert [t.text for t in picture.findall(f"{named}text") if "cases" in str(t.text)] == [
        "verdict, 4 cases",
        "kind, 3 cases",
    ]


def test_an_answer_is_likelier_in_use_than_among_twins_that_are_half_silent() -> None:
    kinds = {MaskKind.TEXT: KindCalibration(offset=0.5), MaskKind.CHOICE: KindCalibration()}
    moved = calibrate_plan.more_often_answered(Calibration(kinds=kinds))
    assert moved.of(MaskKind.TEXT).offset == pytest.approx(0.5 + 0.6931, abs=1e-3)
    assert moved.of(MaskKind.CHOICE) == KindCalibration()
