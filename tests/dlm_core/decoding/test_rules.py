"""Each rule on a guess made by hand, with the answer computed by eye; and none of them moves what is FIXED."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.cache.span_cache import NO_CACHE, Cache
from palimpsest.dlm_core.canvas.canvas import Canvas, State
from palimpsest.dlm_core.decoding.rules import (
    during,
    entropy_bound,
    factor,
    fixed_schedule,
    low_quality,
    margin,
)
from palimpsest.dlm_core.decoding.sampler import Guess, Rule, denoise, keep_all, threshold
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import sheet

FREE = SlotSpec(MaskKind.TEXT, 4, free=True)
WHOLE = SlotSpec(MaskKind.ENTITY, 3)
LATE = SlotSpec(MaskKind.TEXT, 2, free=True, after=(0,))


def guessed(
    canvas: Canvas, prob: list[float], entropy: list[float] | None = None, lead: list[float] | None = None
) -> Guess:
    """A guess with these numbers at the slot places, in order."""
    places = torch.cat([torch.arange(s.start, s.end) for s in canvas.slots])

    def spread(numbers: list[float]) -> torch.Tensor:
        column = torch.zeros(len(canvas))
        column[places] = torch.tensor(numbers)
        return column

    return Guess(
        torch.full((len(canvas),), 2000),
        spread(prob),
        spread(entropy or [1 - p for p in prob]),
        spread(lead or prob),
        torch.full((len(canvas),), -1),
    )


def taken(rule: Rule, canvas: Canvas, guess: Guess, step: int = 0) -> list[int]:
    """Which slot places, counted from 0, the rule takes."""
    places = torch.cat([torch.arange(s.start, s.end) for s in canvas.slots])
    where = rule(guess, canvas, step)
    assert not where[canvas.state == State.FIXED].any()
    return where[places].nonzero()[:, 0].tolist()


CANVAS = sheet(draft=("It is ", FREE, " of ", WHOLE))
PROB = [0.9, 0.2, 0.6, 0.8, 0.7, 0.7, 0.7]  # four free places, one slot of three that is settled whole


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (fixed_schedule(5), [0]),  # five units in five steps
        (fixed_schedule(2), [0, 3, 4, 5, 6]),  # three of them: .9, .8 and the slot
        (fixed_schedule(1), [0, 1, 2, 3, 4, 5, 6]),
        (threshold(0.7), [0, 3, 4, 5, 6]),
        (factor(0.25), [0]),  # 2 * .1 = .2; 3 * .2 = .6
        (factor(0.5), [0]),
        (factor(0.7), [0, 3]),  # 4 * .3 = 1.2
        (factor(1.3), [0, 3, 4, 5, 6]),
        (factor(0.01), [0]),  # one at least
        (entropy_bound(0.0), [0]),  # a sum less its only part is 0
        (entropy_bound(0.11), [0, 3]),  # entropies .1, .2: .3 - .2
        (entropy_bound(0.31), [0, 3, 4, 5, 6]),  # .1 + .2
        (entropy_bound(0.61), [0, 2, 3, 4, 5, 6]),  # + .3
        (margin(0.75), [0, 3]),
    ],
)
def test_what_is_committed(rule: Rule, expected: list[int]) -> None:
    assert taken(rule, CANVAS, guessed(CANVAS, PROB)) == expected


def test_a_schedule_counts_the_steps_that_are_left() -> None:
    assert taken(fixed_schedule(5), CANVAS, guessed(CANVAS, PROB), step=3) == [0, 3, 4, 5, 6]
    assert len(taken(fixed_schedule(5), CANVAS, guessed(CANVAS, PROB), step=9)) == 7


def test_a_slot_that_waits_is_not_taken() -> None:
    canvas = sheet(draft=(FREE, " ", LATE))
    for rule in (fixed_schedule(1), factor(100.0), entropy_bound(100.0), margin(0.0)):
        assert taken(rule, canvas, guessed(canvas, [0.9] * 6)) == [0, 1, 2, 3]


def filled() -> Canvas:
    everything = torch.full((len(CANVAS),), 3000)
    return CANVAS.commit(CANVAS.open, everything, torch.full((len(CANVAS),), -1))


def test_the_quality_head_decides_where_there_is_one() -> None:
    guess = guessed(CANVAS, [0.99] * 7)
    assert taken(low_quality(0.5), filled(), guess) == []
    judged = Guess(guess.token, guess.prob, guess.entropy, guess.margin, guess.source, guessed(CANVAS, PROB).prob)
    assert taken(low_quality(0.65), filled(), judged) == [1, 2]
    assert taken(low_quality(0.75), filled(), judged) == [1, 2, 4, 5, 6]
    assert taken(low_quality(0.75, share=0.4), filled(), judged) == [1, 2]  # two of five units
    assert taken(low_quality(0.75, share=0.1), filled(), judged) == []
    assert taken(low_quality(0.75), CANVAS, judged) == []  # what is open is open


def test_a_place_is_opened_again_no_more_often_than_the_rule_speaks() -> None:
    canvas, guess = filled(), guessed(CANVAS, [0.1] * 7)
    judged = Guess(guess.token, guess.prob, guess.entropy, guess.margin, guess.source, guess.prob)
    rule = during(1, 3, low_quality(0.5))
    assert [len(taken(rule, canvas, judged, step)) for step in range(5)] == [0, 7, 7, 0, 0]


class Dice:
    """Guesses anything, anywhere: tokens and numbers thrown anew at every call."""

    def __init__(self, seed: int):
        self.noise = torch.Generator().manual_seed(seed)

    def guess(
        self, canvases: list[Canvas], caches: list[Cache] | None = None, seeds: list[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        def column(canvas: Canvas) -> torch.Tensor:
            thrown = torch.rand(len(canvas), generator=self.noise)
            for slot in (s for s in canvas.slots if not s.spec.free):
                thrown[slot.start : slot.end] = thrown[slot.start].clone()
            return thrown

        found = [
            Guess((column(c) * 9000).long(), column(c), column(c), column(c), torch.full((len(c),), -1), column(c))
            for c in canvases
        ]
        return found, [NO_CACHE] * len(canvases)


COMMIT = [fixed_schedule(4), threshold(0.8), factor(0.5), entropy_bound(0.2), margin(0.6)]
REOPEN = [
    keep_all,
    low_quality(0.5, 0.3),
    during(1, 3, low_quality(0.9)),
]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(COMMIT), st.sampled_from(REOPEN), st.integers(0, 99), st.integers(1, 6))
def test_fixed_never_moves_and_the_loop_ends(commit: Rule, reopen: Rule, seed: int, steps: int) -> None:
    canvas = sheet(draft=("It is ", FREE, " of ", WHOLE, " and ", LATE))
    fixed = canvas.state == State.FIXED
    frames = list(denoise(Dice(seed), canvas, schedule=steps, commit=commit, reopen=reopen))
    assert len(frames) <= 2 * steps + 2
    assert not frames[-1].canvas.open.any()
    for frame in frames:
        assert torch.equal(frame.canvas.tokens[fixed], canvas.tokens[fixed])
        assert torch.equal(frame.canvas.state[fixed], canvas.state[fixed])
        whole = frame.canvas.state[frame.canvas.slots[1].start : frame.canvas.slots[1].end]
        assert (whole == whole[0]).all()
