"""What a verdict rests on, and fits that leave a source out."""

from __future__ import annotations

import random

import pytest
import torch

from palimpsest.dlm_core.denoisers.slot_calibration import KindCalibration
from palimpsest.dlm_core.evaluation import judging
from palimpsest.dlm_core.evaluation.judging import Read
from palimpsest.dlm_core.kinds import NOT_ENOUGH, SUPPORTS
from palimpsest.dlm_core.training.examples import Example
from palimpsest.dlm_core.training.material import Material

from ..world import small_denoiser


def said(right: int, wrong: int, sure: float) -> Read:
    """Verdicts given with the probability `sure`, so many of them right."""
    row = torch.tensor([sure, (1 - sure) / 2, (1 - sure) / 2]).log()
    return Read([row] * (right + wrong), [0] * right + [1] * wrong)


def test_each_source_is_believed_as_the_others_are_and_not_by_itself() -> None:
    modest, bold = said(9, 1, 0.5), said(6, 4, 0.9)
    fits = judging.left_out({"modest": modest, "bold": bold, "too": bold})
    assert fits["modest"] == judging.fit_to([bold, bold])
    assert fits["modest"].temperature > 1 > judging.fit_to([modest]).temperature
    assert judging.ece(judging.fit_to([bold]), bold) < 0.1 < judging.ece(judging.fit_to([modest]), bold)


def test_of_every_source_left_out_and_of_all_it_is_said_how_far_they_can_be_believed() -> None:
    found = judging.figures(
        KindCalibration(), {"modest": said(9, 1, 0.5), "bold": said(6, 4, 0.9), "too": said(6, 4, 0.9)}
    )
    assert {found[f"verdict_out_{name}_cases"] for name in ("modest", "bold", "too")} == {10}
    assert found["verdict_out_all_cases"] == 30
    assert found["verdict_out_all_risk_100"] == pytest.approx(30)  # 9 of 30 are wrong
    assert found["verdict_out_bold_as_it_stands"] == pytest.approx(0.3)
    assert found["verdict_out_modest_floor"] > 0
    assert found["verdict_out_all_unsure_below"] > 0.5


def test_pairs_against_the_overlap_share_little_where_supported_and_much_where_not(material: Material) -> None:
    pairs = judging.against_overlap(material, 10, random.Random(0))
    supported = [judging.shared(e) for e in pairs if e.targets[0].words == SUPPORTS]
    others = [judging.shared(e) for e in pairs if e.targets[0].words != SUPPORTS]
    assert len(supported) == len(others)
    assert not pairs or max(supported) <= min(others)


def test_without_the_decisive_words_only_they_are_gone(material: Material) -> None:
    for whole, gone in judging.without_decisive(material, 8, random.Random(0)):
        assert whole.question == gone.question
        assert (whole.targets[0].words, gone.targets[0].words) == (SUPPORTS, NOT_ENOUGH)
        assert gone.passages != whole.passages


def test_a_model_that_always_says_nothing_is_right_of_what_lost_its_words_alone(
    material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(denoiser: object, examples: list[Example]) -> Read:
        return Read(
            [torch.tensor([0.1, 0.1, 0.8]).log()] * len(examples),
            [e.slots[0].allowed.index(e.targets[0].words) for e in examples],
        )

    def some(of: Material, count: int, rng: random.Random) -> list[Example]:
        return [whole for whole, _ in judging.without_decisive(of, count, rng)]

    monkeypatch.setattr(judging, "read", silent)
    monkeypatch.setattr(judging, "against_overlap", some)  # the rows of the tests are too few to share more or less
    found = judging.rests_on(small_denoiser(), material, 6, 0)
    assert found["decisive_cases"] > 0
    assert (found["decisive_gone_silent"], found["decisive_whole_right"]) == (100.0, 0.0)
