"""The state that is kept: equal to recomputing where it is exact, measured where it is not, shared by branches and freed with them."""

from __future__ import annotations

import gc
from collections import deque
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import torch

from palimpsest.dlm_core.cache.forward import hidden_states
from palimpsest.dlm_core.cache.living import Living
from palimpsest.dlm_core.cache.span_cache import NO_CACHE, SPAN_CACHE, Arena, Cache, SpanCache, edges, widen
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.rules import fixed_schedule
from palimpsest.dlm_core.decoding.sampler import advance_all, denoise
from palimpsest.dlm_core.denoisers.diffusion_gemma import _Decoded
from palimpsest.dlm_core.denoisers.embedded_layout import attach, detach
from palimpsest.dlm_core.denoisers.hosted import HostedDenoiser
from palimpsest.dlm_core.kinds import VERDICT_SLOT, MaskKind, SlotSpec
from palimpsest.dlm_core.models.checkpoint import load
from palimpsest.dlm_core.models.transformer import Transformer
from palimpsest.kernels import ops

from ..models.checkpoints import FAMILIES, write
from ..world import CITE, ENTITY, NUMBER, TEXT, sheet, small_denoiser, tokenizer

FREE = SlotSpec(MaskKind.TEXT, 6, free=True)
PASSAGES = [("p0", "The barge Marisa of Orta reached 12 knots in 1901."), ("p1", "Pietro Canale built a boat of oak.")]
FULL = ("llada", "dream", "llada_moe", "illada", "a2d_qwen3")
BLOCKS = ("llada2", "sdar", "diffcoder", "fast_dllm")


@lru_cache(maxsize=12)
def hosted(family: str) -> HostedDenoiser:
    model, words = load(write(family, Path(mkdtemp()) / family))
    return HostedDenoiser(model, words, model.config.mask, model.config.end, model.config.max_positions)


def built(
    denoiser: HostedDenoiser, draft: tuple = ("The barge is ", ENTITY, " and it reached ", NUMBER, " knots.")
) -> Canvas:
    return denoiser.build(["How fast is the barge?"], PASSAGES, draft)


def states(denoiser: HostedDenoiser, canvas: Canvas, cache: Cache) -> tuple[torch.Tensor, torch.Tensor, Cache]:
    with torch.inference_mode():
        ((rows, hidden),), (kept,) = hidden_states(
            denoiser.body, denoiser.arena, denoiser.marks.mask, [canvas], [cache]
        )
    return rows, hidden, kept


def filled(canvas: Canvas, slot: int, token: int = 40) -> Canvas:
    return canvas.commit(canvas.slot_mask([slot]), torch.full((len(canvas),), token), torch.full((len(canvas),), -1))


@pytest.mark.usefixtures("same_bits")
@pytest.mark.parametrize("family", FAMILIES)
def test_exact_equals_no_cache_bit_for_bit(family: str) -> None:
    """The twin of design.md 9, over a whole trajectory: tokens, probabilities and entropies of every step."""
    denoiser = hosted(family)
    canvas = built(denoiser, ("The barge is ", ENTITY, " and ", FREE, CITE))
    exact = list(denoise(denoiser, canvas, schedule=3, cache=SpanCache(exact=True)))
    plain = list(denoise(denoiser, canvas, schedule=3, cache=NO_CACHE))
    assert len(exact) == len(plain) > 1
    for one, two in zip(exact, plain, strict=True):
        assert torch.equal(one.canvas.tokens, two.canvas.tokens)
        for name in ("token", "prob", "entropy", "margin", "source"):
            assert torch.equal(getattr(one.guess, name), getattr(two.guess, name))


def test_exact_equals_no_cache_in_the_embedded_model() -> None:
    denoiser, canvas = small_denoiser(), sheet(draft=(TEXT, " ", NUMBER, CITE))
    (one,), _ = denoiser.guess([canvas], [SpanCache(exact=True)])
    (two,), _ = denoiser.guess([canvas], [NO_CACHE])
    assert torch.equal(one.prob, two.prob)
    assert torch.equal(one.token, two.token)


@pytest.mark.parametrize("family", FULL)
def test_the_first_guess_computes_every_row_and_the_next_only_the_fringe(family: str) -> None:
    denoiser = hosted(family)
    canvas = built(denoiser)
    rows, hidden, kept = states(denoiser, canvas, SpanCache(fringe=3, bound=1e9))
    assert kept is not None
    assert kept.report.recomputed == kept.report.total == len(canvas)
    torch.testing.assert_close(hidden, states(denoiser, canvas, NO_CACHE)[1], atol=1e-5, rtol=1e-4)
    rows, _, after = states(denoiser, filled(canvas, 0), kept)
    assert after is not None
    first, second = canvas.slots
    wanted = {*range(first.start - 3, first.end + 3), *range(second.start - 3, second.end + 3)}
    assert set(rows.tolist()) == wanted
    assert after.report.recomputed == len(wanted)
    assert after.report.drift > 0


@pytest.mark.parametrize("family", FULL)
def test_a_fringe_that_reaches_everything_is_exact(family: str) -> None:
    denoiser = hosted(family)
    canvas = built(denoiser)
    _, _, kept = states(denoiser, canvas, SpanCache(fringe=len(canvas)))
    edited = filled(canvas, 0)
    rows, hidden, _ = states(denoiser, edited, kept)
    assert len(rows) == len(canvas)
    torch.testing.assert_close(hidden, states(denoiser, edited, NO_CACHE)[1], atol=1e-5, rtol=1e-4)


def test_the_fringe_is_doubled_until_the_drift_is_under_the_bound() -> None:
    denoiser = hosted("llada")
    canvas = built(denoiser)
    drifts, computed = [], []
    for bound in (1e9, 0.02, 0.0):
        _, _, kept = states(denoiser, canvas, SpanCache(fringe=2, bound=bound))
        _, _, after = states(denoiser, filled(canvas, 0), kept)
        assert after is not None
        drifts.append(after.report.drift)
        computed.append(after.report.recomputed)
        assert after.fringe == 2
    assert computed[0] < computed[1] <= computed[2] == len(canvas)
    assert drifts[0] > 0.02 >= drifts[1]
    assert drifts[2] == 0.0  # nothing is left that was not computed anew


@pytest.mark.parametrize("family", BLOCKS)
def test_blocks_before_the_change_are_kept_exactly(family: str) -> None:
    """Block-causal rows look at no later block: the open rows are those of a full pass, from fewer rows."""
    denoiser = hosted(family)
    canvas = built(denoiser)
    _, _, kept = states(denoiser, canvas, SPAN_CACHE)
    edited = filled(canvas, 0)
    rows, hidden, after = states(denoiser, edited, kept)
    assert after is not None
    assert after.report.recomputed < len(canvas)
    assert after.report.drift == 0.0
    everything = states(denoiser, edited, NO_CACHE)[1]
    torch.testing.assert_close(hidden, everything[rows], atol=1e-5, rtol=1e-4)
    again = states(denoiser, filled(edited, 1).reopen(edited.slot_mask([0])), after)
    whole = states(denoiser, filled(edited, 1).reopen(edited.slot_mask([0])), NO_CACHE)[1]
    torch.testing.assert_close(again[1], whole[again[0]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["llada", "llada2"])
def test_keys_of_rows_that_moved_are_turned(family: str) -> None:
    """First-layer keys depend on token and place alone: in another place they must be what a fresh pass computes there."""
    denoiser = hosted(family)
    body = denoiser.body
    assert isinstance(body, Transformer)
    canvas = built(denoiser)
    _, _, kept = states(denoiser, canvas, SpanCache(fringe=1, bound=1e9))
    for edited in (canvas.delete(1), canvas.resize(0, 3)):
        _, _, after = states(denoiser, edited, kept)
        _, _, fresh = states(denoiser, edited, SPAN_CACHE)
        assert after is not None
        assert fresh is not None
        keys = [
            dict(zip(c.kept.ids.tolist(), denoiser.arena.keys[0][c.kept.slots], strict=True)) for c in (after, fresh)
        ]
        values = [
            dict(zip(c.kept.ids.tolist(), denoiser.arena.values[0][c.kept.slots], strict=True)) for c in (after, fresh)
        ]
        for row in keys[0].keys() & keys[1].keys():
            torch.testing.assert_close(keys[0][row], keys[1][row], atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(values[0][row], values[1][row], atol=1e-5, rtol=1e-4)


def test_every_nth_guess_computes_all_rows() -> None:
    denoiser = hosted("llada")
    canvas, computed = built(denoiser), []
    cache: Cache = SpanCache(fringe=1, bound=1e9, refresh=2)
    for _ in range(5):
        _, _, cache = states(denoiser, canvas, cache)
        assert cache is not None
        computed.append(cache.report.recomputed == len(canvas))
    assert computed == [True, False, False, True, False]


def test_a_canvas_beside_others_is_guessed_as_alone() -> None:
    denoiser = hosted("llada")
    canvases = [built(denoiser), built(denoiser, ("It is ", FREE)), built(denoiser, (NUMBER, " knots"))]
    together, _ = denoiser.guess(canvases, [SPAN_CACHE] * 3)
    for canvas, beside in zip(canvases, together, strict=True):
        (alone,), _ = denoiser.guess([canvas], [SPAN_CACHE])
        assert torch.equal(alone.token, beside.token)
        torch.testing.assert_close(alone.prob, beside.prob, atol=1e-5, rtol=1e-4)


def test_canvases_that_go_on_from_one_cache_leave_no_trace_in_it() -> None:
    """Three variants go on from one cache: its rows are the same bits after, and all that they wrote is free again."""
    denoiser = hosted("llada")
    base = built(denoiser)
    _, _, cache = states(denoiser, base, SpanCache(fringe=2, bound=1e9))
    assert cache is not None
    gc.collect()
    owned = denoiser.arena.owned
    before = [k[cache.kept.slots].clone() for k in denoiser.arena.keys]
    alone = list(denoise(denoiser, base.resize(0, 2), cache=cache))[-1].canvas.tokens
    *_, reached = advance_all(denoiser, [base.resize(0, n) for n in (2, 5, 9)], cache=cache, schedule=2)
    assert torch.equal(reached[0].frame.canvas.tokens, alone)
    assert denoiser.arena.owned > owned
    del reached, _, alone
    gc.collect()
    assert denoiser.arena.owned == owned
    for old, keys in zip(before, denoiser.arena.keys, strict=True):
        assert torch.equal(old, keys[cache.kept.slots])
    del cache
    gc.collect()
    assert denoiser.arena.owned < owned


def test_evidence_is_attached_and_detached_without_computing_an_old_row() -> None:
    """The embedded model's passages are exact in any canvas: only the new one, and the draft that reads it, are computed."""
    denoiser = small_denoiser()
    before = sheet(passages=("It runs at 12 knots.", "Another says 15."), draft=(NUMBER, CITE))
    draft = before.segments[-1].end - before.segments[-1].start
    _, (cache,) = denoiser.guess([before], [SPAN_CACHE])
    after = attach(before, tokenizer(), "new", "A third one says 17 knots.")
    new = next(s.end - s.start for s in after.segments if s.name == "new")
    (guess,), (kept,) = denoiser.guess([after], [cache])
    assert kept is not None
    assert kept.report.recomputed == draft + new
    (plain,), _ = denoiser.guess([after], [NO_CACHE])
    assert torch.equal(guess.token, plain.token)
    torch.testing.assert_close(guess.prob, plain.prob, atol=1e-5, rtol=1e-4)
    _, (back,) = denoiser.guess([detach(after, "p0")], [kept])
    assert back is not None
    assert back.report.recomputed == draft


def test_rows_are_counted_over_a_run_of_a_hosted_model() -> None:
    """Within one canvas its cache saves rows at every step; on a canvas laid anew nothing is exact, and all of it is counted."""
    living = Living()
    alive = hosted("llada").alive(living)
    canvas = built(alive, ("The barge is ", FREE, CITE))
    reports = [f.report for f in denoise(alive, canvas, schedule=3, cache=SpanCache(fringe=1, bound=1e9))]
    assert living.tally.computed == sum(r.recomputed for r in reports if r)
    assert living.tally.anew == sum(r.total for r in reports if r)
    assert living.tally.computed < living.tally.anew
    before = living.tally.computed
    alive.choices([built(alive, (VERDICT_SLOT,))], 0)
    assert living.tally.computed - before == len(built(alive, (VERDICT_SLOT,)))


def test_rows_are_counted_by_their_owners() -> None:
    arena = Arena(1, 1, 4, torch.float32, [torch.device("cpu")])
    first = arena.take(5)
    arena.keys[0][first.rows] = 7.0
    second = arena.take(2000)  # grows
    assert not set(first.rows.tolist()) & set(second.rows.tolist())
    assert (arena.keys[0][first.rows] == 7.0).all()
    again = arena.own(first.rows)
    rows = first.rows.tolist()
    del first
    assert arena.owned == 2005
    assert not set(rows) & set(arena.take(3).rows.tolist())
    del again
    assert arena.owned == 2000
    assert arena.take(3).rows.tolist() == rows[:3]


def test_a_trajectory_that_is_held_owns_no_rows() -> None:
    """Keeping all 48 frames kept every step's keys and values: 13,294 rows for a canvas of 139."""
    denoiser = hosted("llada")
    canvas = built(denoiser, (SlotSpec(MaskKind.TEXT, 48, free=True),))
    gc.collect()
    owned = denoiser.arena.owned
    frames = list(denoise(denoiser, canvas, schedule=48, commit=fixed_schedule(48)))
    gc.collect()
    assert len(frames) == 48
    assert denoiser.arena.owned == owned
    reached = deque(advance_all(denoiser, [canvas], schedule=48, commit=fixed_schedule(48)), maxlen=1)
    gc.collect()
    assert denoiser.arena.owned == owned + len(canvas)
    assert torch.equal(reached[0][0].frame.canvas.tokens, frames[-1].canvas.tokens)


@pytest.mark.parametrize("fails", ["rows", "embed", "take"])
def test_a_forward_that_fails_gives_its_rows_back(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory in the middle of a guess, on a fresh canvas and on one whose rows were kept and have moved."""
    denoiser = hosted("llada")
    canvas = built(denoiser)
    _, _, kept = states(denoiser, canvas, SpanCache(fringe=1, bound=1e9))
    gc.collect()
    owned, calls = denoiser.arena.owned, 0
    target = denoiser.arena if fails == "take" else denoiser.body
    real = getattr(target, fails)

    def fail(*args: object) -> object:
        nonlocal calls
        calls += 1
        if fails != "take" or calls == 3:  # the rows that moved, those that are written, and those of the second canvas
            raise RuntimeError("out of memory")
        return real(*args)

    monkeypatch.setattr(target, fails, fail)
    for _ in range(3):
        calls = 0
        with pytest.raises(RuntimeError, match="out of memory"):
            denoiser.guess([canvas.resize(0, 3), canvas], [kept, SPAN_CACHE])
    gc.collect()
    assert denoiser.arena.owned == owned


def test_widen_and_edges() -> None:
    where = torch.zeros(12, dtype=torch.bool)
    where[[5, 6]] = True
    live = widen(where, 2)
    assert live.nonzero()[:, 0].tolist() == [3, 4, 5, 6, 7, 8]
    assert torch.equal(widen(where, 0), where)
    old = torch.arange(12)
    assert edges(live, where, old, 1).tolist() == [3, 8]
    old[3] = -1
    assert edges(live, where, old, 2).tolist() == [4, 7, 8]
    assert edges(torch.ones_like(live), where, old, 2).tolist() == []


def test_settings_are_kept_from_guess_to_guess() -> None:
    asked = SpanCache(fringe=5, bound=0.25, refresh=9)
    _, (kept,) = hosted("llada").guess([built(hosted("llada"))], [asked])
    assert kept is not None
    assert replace(kept, kept=None, report=asked.report) == asked


@pytest.mark.parametrize("family", ["llada", "llada2"])  # one that sees everything, one in blocks
def test_the_kernels_read_the_arena_as_the_plain_way_does(family: str) -> None:
    """Several canvases in one launch, rows that moved and rows that did not; Triton's interpreter against torch's attention."""
    both = []
    for path in ("reference", "triton"):
        denoiser = hosted(family)
        short = [("p", "It is 12.")]
        canvases = [denoiser.build(["Which?"], short, draft) for draft in ((ENTITY, " at ", NUMBER), (ENTITY,))]
        with torch.inference_mode(), ops.prefer(path):
            _, kept = hidden_states(
                denoiser.body, denoiser.arena, denoiser.marks.mask, canvases, [SpanCache(fringe=4, bound=1e9)] * 2
            )
            edited = [filled(canvases[0].resize(0, 2), 0), filled(canvases[1], 0)]
            states_, after = hidden_states(denoiser.body, denoiser.arena, denoiser.marks.mask, edited, kept)
        assert after[0] is not None
        both.append([hidden for _, hidden in states_])
    for plain, fast in zip(*both, strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["llada", "sdar"])
def test_every_tensor_of_an_edit_lies_where_the_model_lies(family: str) -> None:
    """`meta` stands for a GPU: torch refuses to mix it with the CPU's."""
    model, _ = load(write(family, Path(mkdtemp()) / family), device="meta")
    here = hosted(family)
    arena, cache = Arena.of(model.row_state), SpanCache(fringe=3, probes=0)
    canvas = built(here)
    with torch.inference_mode():
        _, (kept,) = hidden_states(model, arena, 3, [canvas], [cache])
        ((_, hidden),), _ = hidden_states(model, arena, 3, [filled(canvas.resize(0, 2), 0)], [kept])
        ((_, whole),), _ = hidden_states(model, arena, 3, [canvas], [NO_CACHE])
    assert hidden.device.type == whole.device.type == "meta"
    assert model.logits(hidden).device.type == "meta"


class Scripted(HostedDenoiser):
    """A denoiser whose reader says the logits that were enqueued, whatever the canvas."""

    def enqueue(self, start: int, words: torch.Tensor) -> None:
        self.said = start, words

    def _read(self, canvases, caches, seeds):  # type: ignore[no-untyped-def]
        start, words = self.said
        return [_Decoded(words, start) for _ in canvases], list(caches)


def test_a_choice_of_several_tokens_is_scored_whole() -> None:
    """ "knots" and "knobs" begin alike; the mean over each answer's places decides, and the slot holds all of its tokens."""
    model, words = load(write("llada", Path(mkdtemp()) / "llada"))
    denoiser = Scripted(model, words, 3, 2, 512)
    answers = ("barge of oak", "barge of iron", "oak")
    ids = [words.encode(a).ids for a in answers]
    assert ids[0][0] == ids[1][0]
    slot = SlotSpec(MaskKind.CHOICE, max(map(len, ids)), allowed=answers)
    canvas = denoiser.build(["Which?"], PASSAGES, ("It is ", slot, "."))
    logits = torch.zeros(slot.length, 320)
    for place, token in enumerate(ids[1]):
        logits[place, token] = 9.0
    logits[0, ids[2][0]] = 9.0
    denoiser.enqueue(canvas.slots[0].start, logits)
    (answers_given,) = denoiser.choices([canvas], 0)
    assert answers_given.index(max(answers_given)) == 1
    assert sum(answers_given) == pytest.approx(1)
    (guess,), _ = denoiser.guess([canvas])
    assert guess.token[canvas.slots[0].start :][: len(ids[1])].tolist() == ids[1]
    short = denoiser.build(["Which?"], PASSAGES, (SlotSpec(MaskKind.CHOICE, 1, allowed=answers),))
    with pytest.raises(ValueError, match="larger max_length"):
        denoiser.choices([short], 0)


def test_a_family_that_asks_for_places_is_given_them() -> None:
    """DreamOn: a free slot grows where the model says `expand` and shrinks where it says `delete`; FIXED words move, unchanged."""
    model, words = load(write("dream", Path(mkdtemp()) / "dream"))
    denoiser = Scripted(model, words, 3, 2, 512, expand=7)
    canvas = denoiser.build(["How?"], [], ("It is ", FREE, " at last.")).resize(0, 3)
    start = canvas.slots[0].start
    logits = torch.zeros(16, 320)
    logits[torch.arange(3), torch.tensor([7, 2, 9])] = 9.0
    denoiser.enqueue(start, logits)
    after = denoiser.resize(denoiser, canvas, NO_CACHE, 0, 0)
    assert after.slots[0].end - after.slots[0].start == 3  # one more, one less
    assert after.ids[start + 2] == canvas.ids[start + 2]
    logits[1, 2] = 0.0
    grown = denoiser.resize(denoiser, canvas, NO_CACHE, 0, 0)
    assert grown.slots[0].end - grown.slots[0].start == 4
    assert grown.tokens[~grown.open].tolist() == canvas.tokens[~canvas.open].tolist()
