"""The bench of ways to denoise: what it opens, and that what it counts can be seen by eye."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.decoding import profiles
from palimpsest.dlm_core.denoisers.hosted import HostedDenoiser
from palimpsest.dlm_core.denoisers.open import open_denoiser
from palimpsest.dlm_core.evaluation.denoising import WAYS, by, cases, measured

from ..models.checkpoints import write

TEXT = "A first sentence says where the lake lies in the north. Orta met Pietro Canale on the lake in May 1901 once. No more."


@pytest.fixture
def denoiser(tmp_path: Path) -> HostedDenoiser:
    made = open_denoiser(write("llada2", tmp_path))
    assert isinstance(made, HostedDenoiser)
    return made


def test_the_words_between_names_and_figures_are_open_and_known(denoiser: HostedDenoiser) -> None:
    (case,) = cases(denoiser, [TEXT], 1, 40)
    words = denoiser.tokenizer.decode(case.words[case.words >= 0].tolist())
    assert words == " met on the lake in once"
    assert int(case.canvas.open.sum()) == int((case.words >= 0).sum())


def test_the_authors_words_are_counted_where_they_stand_again(denoiser: HostedDenoiser) -> None:
    (case,) = cases(denoiser, [TEXT], 1, 40)

    def perfect(model: object, canvas: object) -> object:
        return case.canvas.commit(case.canvas.open, case.words, torch.full_like(case.words, -1))

    assert measured(denoiser, [case], perfect)["same"] == 1.0  # type: ignore[arg-type]
    one = measured(denoiser, [case], by(profiles.careful))
    ahead = measured(denoiser, [case], WAYS["careful"])
    places = int(case.canvas.open.sum())
    assert (one["calls"], one["same"], one["doubled"]) == (places, ahead["same"], ahead["doubled"])
    assert ahead["calls"] <= 1 + places
    assert measured(denoiser, [case], by(profiles.fast))["calls"] <= profiles.FAST_STEPS


def test_every_way_settles_every_place(denoiser: HostedDenoiser) -> None:
    (case,) = cases(denoiser, [TEXT], 1, 40)
    for way in WAYS.values():
        assert not way(denoiser, case.canvas).open.any()
