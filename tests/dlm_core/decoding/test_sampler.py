from __future__ import annotations

from itertools import islice

import torch

from palimpsest.dlm_core.canvas.canvas import Canvas, State
from palimpsest.dlm_core.decoding.sampler import Guess, denoise, in_batches, keep_all, threshold
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from ..world import CITE, NUMBER, TEXT, ToyDenoiser, sheet


def order_of(frames: list) -> list[set[int]]:
    """The slots settled at each step."""
    opened, before = [], set()
    for frame in frames:
        now = {n for n in range(len(frame.canvas.slots)) if frame.canvas.is_settled(n)}
        opened.append(now - before)
        before = now
    return opened


def test_threshold_commits_the_sure_first_and_the_last_step_commits_the_rest() -> None:
    toy = ToyDenoiser({0: 0.2, 1: 0.9, 2: 0.6})
    frames = list(denoise(toy, sheet(draft=(TEXT, " ", NUMBER, " ", CITE)), schedule=3, commit=threshold(0.8)))
    assert order_of(frames) == [{1}, {2}, {0}]
    assert toy.history[0] == [TEXT.length + NUMBER.length + 1]


def test_no_more_steps_than_the_schedule() -> None:
    toy = ToyDenoiser({0: 0.1, 1: 0.1})
    assert len(list(denoise(toy, sheet(draft=(TEXT, CITE)), schedule=2, commit=threshold(0.9)))) == 2
    assert len(list(denoise(toy, sheet(draft=(TEXT, CITE)), schedule=5, commit=threshold(0.0)))) == 1


def test_a_slot_waits_for_those_it_comes_after() -> None:
    late = SlotSpec(MaskKind.CITE, after=(1,))
    frames = list(denoise(ToyDenoiser({0: 0.99, 1: 0.6}), sheet(draft=(late, " ", TEXT)), schedule=4))
    assert order_of(frames) == [{1}, {0}]


def doubted(guess: Guess, canvas: Canvas, step: int) -> torch.Tensor:
    return (canvas.state == State.FILLED) & (guess.prob < 0.5)


def test_a_doubtful_place_is_opened_again() -> None:
    """A slot filled earlier that the model now doubts becomes masks again, and is settled anew."""
    canvas = sheet(draft=(TEXT, " ", NUMBER))
    filled = canvas.commit(canvas.slot_mask([0]), torch.full((len(canvas),), 3000), torch.full((len(canvas),), -1))
    toy = ToyDenoiser({0: 0.1, 1: 0.95}, token=2000)
    frames = list(denoise(toy, filled, schedule=3, commit=threshold(0.5), reopen=doubted))
    assert not frames[0].canvas.is_settled(0)
    assert frames[-1].canvas.tokens[canvas.slots[0].start] == 2000


def test_keep_all_keeps_all() -> None:
    canvas = sheet()
    (guess,), _ = ToyDenoiser({0: 0.0, 1: 0.0}).guess([canvas])
    assert not keep_all(guess, canvas, 0).any()
    filled = canvas.commit(canvas.open, guess.token, guess.source)
    assert doubted(guess, filled, 0).sum() == (filled.state == State.FILLED).sum()


def test_in_batches_gives_results_in_the_order_given() -> None:
    canvases = [sheet("a " * n) for n in (9, 1, 5, 3, 7)]
    sizes: list[int] = []

    def work(batch: list) -> list[int]:
        sizes.append(len(batch))
        return [len(c) for c in batch]

    assert in_batches(canvases, work, size=2) == [len(c) for c in canvases]
    assert sizes == [2, 2, 1]
    assert torch.tensor(sizes).sum() == 5


def test_slots_that_wait_for_one_another_end_all_the_same() -> None:
    """`denoise_all` promises to end after `schedule` steps; a circle in `after` ran for ever."""
    circle = (SlotSpec(MaskKind.TEXT, 2, after=(1,)), " ", SlotSpec(MaskKind.TEXT, 2, after=(0,)))
    frames = list(islice(denoise(ToyDenoiser({0: 0.9, 1: 0.9}), sheet(draft=circle)), 20))
    assert len(frames) < 20
