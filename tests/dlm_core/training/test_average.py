"""The mean of two weights and what is fitted to it, on tiny models and rows made by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import torch

from palimpsest.dlm_core.denoisers.embedded import Denoiser
from palimpsest.dlm_core.denoisers.slot_calibration import Calibration, KindCalibration
from palimpsest.dlm_core.kinds import MaskKind
from palimpsest.dlm_core.models.embedded import EmbeddedModel
from palimpsest.dlm_core.training import average

from ..world import SMALL, small_denoiser, tokenizer

TEXT = "Ada Lovelace wrote about forty letters to Charles Babbage in the spring of 1843, and nobody read them."
ROWS = [
    {"title": "Ada", "question": "Who wrote?", "unanswerable_question": "Who sang?", "context": TEXT, "answers": ["Ada Lovelace"]},
    {"title": "Ada", "question": "When?", "unanswerable_question": "Why?", "context": TEXT.replace("Ada", "Ida"), "answers": ["1843"]},
    {"title": "Ada", "question": "What of it?", "unanswerable_question": "Why?", "context": "Rain fell.", "answers": ["Rain"]},
]  # fmt: skip


def test_the_mean_lies_between_and_the_head_stays() -> None:
    torch.manual_seed(0)
    one = Denoiser(EmbeddedModel(replace(SMALL, quality=16)), tokenizer())
    two = small_denoiser(1)
    found = average.mean(one, two, 0.25).state_dict()
    for name, tensor in two.model.state_dict().items():
        assert torch.allclose(found[name], 0.75 * one.model.state_dict()[name] + 0.25 * tensor, atol=1e-6)
    heads = [n for n in found if n.startswith("quality.")]
    assert heads
    assert all(torch.equal(found[n], one.model.state_dict()[n]) for n in heads)


def test_every_answer_has_a_silent_partner_in_the_same_draft() -> None:
    rng = random.Random(0)
    for found in (average.twins(ROWS, rng), average.elsewhere(ROWS, 5, rng)):
        assert len(found) >= 4
        for right, silent in zip(found[::2], found[1::2], strict=True):
            assert right.draft == silent.draft
            assert right.words(0) in right.passages[0]
            assert silent.targets[0].words == "[NONE]"
    for right, silent in zip(*[iter(average.elsewhere(ROWS, 5, rng))] * 2, strict=True):
        assert right.words(0) not in silent.passages[0]


def test_what_is_fitted_counts_its_cases_and_keeps_the_rest() -> None:
    old = Calibration(3, 0.7, 0.4, {MaskKind.TEXT: KindCalibration(1.0, 1.0, 0.0, 6)})
    examples = average.twins(ROWS * 4, random.Random(0))
    found = average.fitted(small_denoiser(), examples, [("Ada wrote.", TEXT, 0), ("Ada sang.", TEXT, 2)], old)
    assert (found.steps, found.commit, found.doubt, found.length(MaskKind.TEXT)) == (3, 0.7, 0.4, 6)
    assert found.measured["answers"] == len(examples)
    assert found.measured["verdicts"] == 2
    assert 0 <= found.measured["answer_there_ece"] <= 1
    gates = {found.of(kind).slope for kind in average.COPYING}
    assert len(gates) == 1
