"""Canvases that live through a run: what is filled is what fresh canvases give, whatever came before, and old rows are not computed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.dlm_core.cache.living import Living
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.sampler import denoise_all
from palimpsest.dlm_core.denoisers.embedded import Denoiser, draft_start
from palimpsest.dlm_core.kinds import VERDICT_SLOT, SlotSpec

from ..world import CITE, ENTITY, NUMBER, TEXT, sheet, small_denoiser

QUESTIONS = ("How fast is the barge?", "Who built it?")
PASSAGES = (
    "The barge Marisa of Orta reached 12 knots in 1901.",
    "Pietro Canale built a boat of oak.",
    "It has 3 masts.",
)
DRAFTS: tuple[tuple[str | SlotSpec, ...], ...] = (
    (TEXT, " ", CITE),
    ("It made ", NUMBER, " for ", ENTITY),
    (VERDICT_SLOT,),
)
LOOSE, TIGHT = 64 * 2**20, 40_000  # bytes: all of this, and two passages of it

Look = tuple[int, tuple[int, ...], int]  # a question, the passages attached to it, a draft
LOOKS = st.tuples(
    st.integers(0, 1),
    st.permutations(range(3)).flatmap(lambda p: st.integers(0, 3).map(lambda n: tuple(p[:n]))),
    st.integers(0, 2),
)


def laid(look: Look) -> Canvas:
    question, passages, draft = look
    return sheet(QUESTIONS[question], [PASSAGES[p] for p in passages], DRAFTS[draft])


def alive(most: int = LOOSE) -> tuple[Denoiser, Living]:
    living = Living(most)
    return small_denoiser().alive(living), living


def assert_same(one: Denoiser, other: Denoiser, canvases: list[Canvas]) -> None:
    """Every step of both: the words, where they were copied from, and how sure they are."""
    for mine, theirs in zip(denoise_all(one, canvases), denoise_all(other, canvases), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert torch.equal(a.canvas.tokens, b.canvas.tokens)
            assert torch.equal(a.canvas.source, b.canvas.source)
            torch.testing.assert_close(a.guess.prob, b.guess.prob, atol=1e-5, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(LOOKS, min_size=1, max_size=3), max_size=6), st.sampled_from((LOOSE, TIGHT, 0)))
def test_whatever_is_attached_detached_and_opened_the_fills_are_those_of_fresh_canvases(
    calls: list[list[Look]], most: int
) -> None:
    living, held = alive(most)
    for call in calls:
        assert_same(living, small_denoiser(), [laid(look) for look in call])
        assert held.size <= most
    assert held.tally.computed <= held.tally.anew


def test_only_what_is_attached_is_computed_and_the_draft_that_sees_it() -> None:
    denoiser, living = alive()
    first, second = laid((0, (0,), 0)), laid((0, (0, 1), 0))
    denoiser.rank([first], 0, 1)
    assert living.tally.computed == len(first)
    denoiser.rank([second], 0, 1)
    new = next(s.end - s.start for s in second.segments if s.name == "p1")
    assert living.tally.computed == len(first) + new + len(second) - draft_start(second)


def test_a_passage_that_comes_back_and_a_draft_that_is_read_again_cost_nothing() -> None:
    denoiser, living = alive()
    looks = [laid((0, passages, 0)) for passages in ((0,), (0, 1), (0,))]
    for canvas in looks[:2]:
        denoiser.guess([canvas])
    before = living.tally.computed
    denoiser.guess([looks[2]])
    assert living.tally.computed == before
    assert living.tally.anew == sum(map(len, looks))


def test_a_draft_that_is_opened_again_is_read_over_what_stayed() -> None:
    denoiser, living = alive()
    canvas = laid((0, (0, 1), 0))
    (guess,), _ = denoiser.guess([canvas])
    settled = canvas.commit(canvas.slot_mask([0]), guess.token, guess.source)
    denoiser.guess([settled])
    before = living.tally.computed
    (again,), _ = denoiser.guess([settled.reopen(settled.slot_mask([0]))])
    assert living.tally.computed == before
    assert torch.equal(again.token, guess.token)


def test_equal_canvases_of_one_call_are_computed_once() -> None:
    denoiser, living = alive()
    canvas = laid((0, (0,), 0))
    one, two = denoiser.guess([canvas, canvas])[0]
    assert torch.equal(one.prob, two.prob)
    assert living.tally.computed == len(canvas)


def test_of_another_question_nothing_stays() -> None:
    """A passage sees the question: its rows beside another one are others."""
    denoiser, living = alive()
    one, two = laid((0, (0,), 0)), laid((1, (0,), 0))
    denoiser.guess([one])
    denoiser.guess([two])
    assert living.tally.computed == len(one) + len(two)


def test_what_was_not_looked_at_for_longest_goes_first() -> None:
    living = Living(most=10)
    living.keep("a", 1, 4)
    living.keep("b", 2, 4)
    assert living.get("a") == 1
    living.keep("c", 3, 4)
    assert (living.get("a"), living.get("b"), living.get("c")) == (1, None, 3)
    living.keep("a", 4, 2)
    assert living.size == 6
    living.keep("large", 5, 11)
    assert living.get("large") is None


def test_readings_of_a_slot_are_one_distribution() -> None:
    denoiser = small_denoiser()
    found, none = denoiser.readings(laid((0, (0, 1), 0)), 0)
    everything = sum(r.probability for r in found) + none
    assert 0.9 < everything <= 1 + 1e-4
    assert [r.probability for r in found] == sorted((r.probability for r in found), reverse=True)
    with pytest.raises(ValueError, match="only a slot that copies has readings"):
        denoiser.readings(laid((0, (0,), 2)), 0)
