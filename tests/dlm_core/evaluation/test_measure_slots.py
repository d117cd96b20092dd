"""What is measured of slots and of signs that an answer is wrong, and where it is written."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.denoisers.slot_calibration import Calibration, KindCalibration
from palimpsest.dlm_core.evaluation import measure_slots
from palimpsest.dlm_core.evaluation.measure_slots import Answer
from palimpsest.dlm_core.kinds import MaskKind
from palimpsest.dlm_core.training.average import twins
from palimpsest.dlm_core.training.material import Material

from ..world import small_denoiser

SIGNED = [Answer(True, (0.9, 0.2, 1.0)), Answer(True, (0.8, 0.9, 2.0)), Answer(False, (0.1, 0.5, 1.5))]


def test_the_sign_that_tells_right_from_wrong_best_is_the_default() -> None:
    found = measure_slots.signs_of(SIGNED, "twins")
    assert found["sign_twins_probability_auroc"] == 1.0
    assert found["sign_twins_quality_auroc"] == 0.5
    assert found["sign_twins_lift_auroc"] == 0.5
    assert found["sign_twins_exact"] == pytest.approx(200 / 3)
    assert found["sign_twins_probability_ece"] == pytest.approx((0.1 + 0.2 + 0.1) / 3)
    assert measure_slots.best_sign(found, ["twins"]) == "probability"


def test_every_slot_that_the_agent_asks_is_counted(material: Material) -> None:
    found = measure_slots.of_slots(small_denoiser(), material, 4, 0)
    assert all(found[f"{name}_cases"] > 0 for name in measure_slots.ASKED)
    assert {"bridge_exact", "column_cited"} <= set(found)


def test_the_lift_is_what_the_passage_adds_to_the_words_alone(material: Material) -> None:
    denoiser = small_denoiser()
    examples = twins(material.rows["unanswerable_pairs"] * 3, random.Random(0))
    golds = [[e.words(0)] if e.targets[0].spans else [] for e in examples]
    found = measure_slots.answers(denoiser, examples, golds)
    assert len(found) <= len(examples)
    for answer in found:
        probability, quality, lift = answer.signs
        assert 0 < probability <= 1
        assert 0 <= quality <= 1
        assert lift <= -measure_slots._log(1e-9)


def test_the_quality_head_is_measured_whatever_sign_the_calibration_asks_for(material: Material) -> None:
    denoiser = small_denoiser()
    denoiser.calibration = Calibration(kinds={MaskKind.TEXT: KindCalibration(offset=50.0)})  # it always answers
    examples = twins(material.rows["unanswerable_pairs"] * 3, random.Random(0))
    golds = [[e.words(0)] if e.targets[0].spans else [] for e in examples]
    by_head, by_lift = (
        [a.signs[1] for a in measure_slots.answers(denoiser.told_by(sign), examples, golds)]
        for sign in ("quality", "lift")
    )
    assert by_lift == by_head != []


def test_what_is_written_is_loaded_again_with_its_checksum(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(embedded_weights.BUNDLED, weights)
    measure_slots.write(Calibration(sign="lift", measured={"bridge_cases": 7}), weights)
    embedded_weights.check(weights)
    assert Calibration.load(weights / "calibration.json").sign == "lift"
    (weights / "calibration.json").write_text("{}")
    with pytest.raises(embedded_weights.WeightsError):
        embedded_weights.check(weights)
