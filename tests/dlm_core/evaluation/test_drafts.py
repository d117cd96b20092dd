"""Drafts by their length: what is opened, mended and left alone."""

from __future__ import annotations

import pytest
import torch

from palimpsest.dlm_core.denoisers.slot_calibration import Calibration
from palimpsest.dlm_core.evaluation import drafts
from palimpsest.dlm_core.evaluation.drafts import Standing
from palimpsest.dlm_core.training.material import Material

from ..world import small_denoiser


def test_the_figures_are_of_the_whole_and_of_each_length() -> None:
    short = [Standing(100, True, -1.0, True), Standing(100, False, -20.0, True)]
    long = [Standing(300, True, -2.0, False), Standing(300, False, -1.0, False)]
    found = drafts.figures([*short, *long, Standing(900, True, 0.0, True)])
    assert (found["mended"], found["kept"], found["slots"]) == (50.0, pytest.approx(200 / 3), 5)
    assert (found["mended_0_to_192"], found["kept_0_to_192"], found["auroc_0_to_192"]) == (100.0, 100.0, 1.0)
    assert (found["mended_192_to_512"], found["kept_192_to_512"], found["auroc_192_to_512"]) == (0.0, 0.0, 0.0)
    assert "kept_over_512" not in found, "no wrong words there: nothing to tell apart"


def test_what_is_doubted_is_opened_and_nothing_else(material: Material) -> None:
    torch.manual_seed(0)
    denoiser, examples = small_denoiser(), drafts.stale_drafts(material, 3, 0)
    assert examples
    assert all(any(t.now for t in e.targets) for e in examples)
    untouched = drafts.read(denoiser, examples, doubted=-1e9)
    assert [s.ends_right for s in untouched] == [s.is_right for s in untouched], "nothing was opened"
    assert len(untouched) == sum(len(e.targets) for e in examples)
    opened = drafts.read(denoiser, examples, doubted=1.0)
    assert [s.lift for s in opened] == [s.lift for s in untouched]
    assert [s.ends_right for s in opened] != [s.ends_right for s in untouched]


def test_the_lift_that_is_doubted_is_the_one_of_the_calibration() -> None:
    assert drafts.doubted_below(Calibration(doubt=0.5, lift=(0.5, 2.0))) == pytest.approx(-4.0)
