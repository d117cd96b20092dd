"""The ways to denoise by name: how many steps each takes of a model whose numbers are known, and what a quality head adds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from palimpsest.dlm_core.cache.span_cache import NO_CACHE, Cache
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding import profiles
from palimpsest.dlm_core.decoding.sampler import Frame, Guess, denoise, sureness
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import sheet

PLACES = 8


class Even:
    """Gives every place the same probability; `quality`, where it has a head, to all but the first place that stands."""

    def __init__(self, prob: float, quality: float | None = None):
        self.prob, self.quality = prob, quality

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        return [self._guess(c) for c in canvases], [NO_CACHE] * len(canvases)

    def _guess(self, canvas: Canvas) -> Guess:
        prob = torch.full((len(canvas),), self.prob)
        judged = None if self.quality is None else torch.full((len(canvas),), self.quality)
        return Guess(torch.full((len(canvas),), 2000), prob, 1 - prob, prob, torch.full((len(canvas),), -1), judged)


def run(name: str, model: Even) -> list[Frame]:
    canvas = sheet(draft=(SlotSpec(MaskKind.TEXT, PLACES, free=True),))
    return list(denoise(model, canvas, **vars(profiles.PROFILES[name](PLACES, 0.5))))


@pytest.mark.parametrize(
    ("name", "prob", "steps"),
    [
        ("steady", 0.91, 1),
        ("steady", 0.89, PLACES),
        ("steady", 0.5, PLACES),
        ("fast", 0.99, 1),
        ("fast", 0.5, profiles.FAST_STEPS),
        ("careful", 0.95, PLACES),
        ("careful", 0.5, PLACES),
    ],
)
def test_how_many_steps_a_profile_takes(name: str, prob: float, steps: int) -> None:
    frames = run(name, Even(prob))
    assert len(frames) == steps
    assert not frames[-1].canvas.open.any()


def test_a_quality_head_opens_again_what_it_doubts_and_only_then() -> None:
    plain, sure, doubtful = (len(run("steady", Even(0.5, quality))) for quality in (None, 0.9, 0.1))
    assert plain == sure == PLACES
    assert PLACES < doubtful <= PLACES + PLACES // 2


def test_how_sure_a_trajectory_was_is_the_geometric_mean_of_what_it_settled() -> None:
    assert sureness(run("careful", Even(0.5))) == pytest.approx(0.5)
    assert sureness(run("steady", Even(0.95))) == pytest.approx(0.95)
    assert sureness([]) == 1.0
