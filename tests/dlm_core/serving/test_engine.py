"""The batched engine tells the same films as one canvas at a time, lets nobody starve, and forgets whoever goes away."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
import torch

from palimpsest.dlm_core.cache.span_cache import Cache
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.rules import fixed_schedule
from palimpsest.dlm_core.decoding.sampler import Guess, Plan, denoise
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.serving.engine import Engine, OverloadedError

from ..cache.test_forward import hosted, laid
from ..world import CITE, ENTITY, NUMBER, TEXT, ToyDenoiser, sheet, small_denoiser

FREE = SlotSpec(MaskKind.TEXT, 6, free=True)
FILM = Plan(schedule=6, commit=fixed_schedule(6))


class Gated(ToyDenoiser):
    """A toy that waits before each guess until it is let, and remembers how many canvases shared it."""

    def __init__(self) -> None:
        super().__init__({0: 0.9, 1: 0.9})
        self.gate = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        self.asked.release()
        assert self.gate.acquire(timeout=20)
        return super().guess(canvases, caches, seeds)

    def let(self, times: int) -> None:
        for _ in range(times):
            self.gate.release()


def test_the_same_frames_as_one_at_a_time() -> None:
    """Different lengths, evidence and plans, all at once; the embedded model and a hosted one."""
    small, llada = small_denoiser(3), hosted("llada")
    canvases = [
        sheet("Who?", ("Marisa won.", "Pietro lost in 1901."), (ENTITY, CITE)),
        sheet("How fast is the barge?", ("It runs at 1,288 knots.",), (NUMBER, " ", TEXT, CITE)),
        sheet(passages=("One.",) * 5, draft=(TEXT, " ", TEXT, " ", NUMBER)),
    ]
    for model, given in (
        (small, canvases),
        (llada, [laid(llada), laid(llada, ("It is ", FREE)), laid(llada, (FREE, ENTITY))]),
    ):
        plans = [Plan(schedule=n + 1, commit=fixed_schedule(n + 1)) for n in range(3)]
        with Engine(model) as engine:
            jobs = [engine.submit(c, p) for c, p in zip(given, plans, strict=True)]
            films = [list(job.frames()) for job in jobs]
        for canvas, plan, film in zip(given, plans, films, strict=True):
            alone = list(denoise(model, canvas, schedule=plan.schedule, commit=plan.commit))
            assert len(film) == len(alone)
            for one, two in zip(film, alone, strict=True):
                assert torch.equal(one.canvas.tokens, two.canvas.tokens)
                assert torch.equal(one.canvas.source, two.canvas.source)
                torch.testing.assert_close(one.guess.prob, two.guess.prob, atol=1e-4, rtol=1e-3)


def test_canvases_join_between_steps() -> None:
    model = Gated()
    with Engine(model, active=8) as engine:
        first = engine.submit(sheet(draft=(FREE, CITE)), FILM)
        assert model.asked.acquire(timeout=20)  # the first step is under way, alone
        others = [engine.submit(sheet(draft=(FREE, CITE)), FILM) for _ in range(2)]
        model.let(50)
        assert all(len(list(j.frames())) >= 6 for j in (first, *others))
    assert [len(shared) for shared in model.history[:2]] == [1, 3]


def test_when_more_wait_than_fit_all_take_turns() -> None:
    """Six canvases through two places: after three steps every one has had exactly one."""
    model = Gated()
    with Engine(model, active=2) as engine:
        blocker = engine.submit(sheet(draft=(FREE, CITE)), FILM)
        assert model.asked.acquire(timeout=20)
        jobs = [engine.submit(sheet(draft=(FREE, CITE)), FILM) for _ in range(5)]
        for _ in range(3):
            model.let(1)
            assert model.asked.acquire(timeout=20)
        steps = sorted(j.frame.step for j in (blocker, *jobs))
        assert steps == [-1, 0, 0, 0, 0, 0]  # one, then two, then two: the sixth is in the step under way
        model.let(50)
        assert all(list(j.frames()) for j in (blocker, *jobs))
    assert engine.counters.done == 6


def test_a_full_line_is_said_so_and_loses_nothing() -> None:
    model = Gated()
    with Engine(model, active=1, waiting=2) as engine:
        running = engine.submit(sheet(), FILM)
        assert model.asked.acquire(timeout=20)  # taken off the line: it is in a step
        waiting = [engine.submit(sheet(), FILM) for _ in range(3)]
        with pytest.raises(OverloadedError, match="2 requests wait already"):
            engine.submit(sheet(), FILM)
        with pytest.raises(OverloadedError):
            engine.call(lambda: None)
        model.let(50)
        assert all(list(j.frames()) for j in (running, *waiting))
        assert engine.counters.rejected == 2
        assert engine.load == (0, 0)


def test_who_goes_away_frees_the_place() -> None:
    model = Gated()
    with Engine(model, active=1, waiting=1) as engine:
        gone = engine.submit(sheet(draft=(FREE, CITE)), FILM)
        film = gone.frames()
        model.let(1)
        next(film)
        film.close()
        after = engine.submit(sheet(draft=(TEXT, CITE)), Plan(schedule=1))
        model.let(50)
        assert len(list(after.frames())) == 1
        assert engine.counters.cancelled == 1
        assert engine.counters.done == 1


def test_an_error_ends_only_the_film_it_belongs_to() -> None:
    """The embedded model refuses free prose; its neighbours in the batch do not notice."""
    with Engine(small_denoiser()) as engine:
        good, bad, other = (engine.submit(sheet(draft=d)) for d in ((TEXT, CITE), (FREE,), (NUMBER, CITE)))
        assert list(good.frames())[-1].canvas.open.sum() == 0
        with pytest.raises(ValueError, match="no free prose"):
            list(bad.frames())
        assert list(other.frames())
        assert engine.counters.failed == 1
        assert list(engine.submit(sheet()).frames())


def test_other_work_is_done_on_the_models_thread() -> None:
    with Engine(small_denoiser()) as engine:
        assert engine.call(lambda: threading.current_thread().name) == "denoising engine"
        with pytest.raises(ZeroDivisionError):
            engine.call(lambda: 1 / 0)


def test_closing_ends_everything() -> None:
    model = Gated()
    engine = Engine(model)
    job = engine.submit(sheet(draft=(FREE, CITE)), FILM)
    assert model.asked.acquire(timeout=20)
    model.let(1)
    threading.Thread(target=model.let, args=(50,)).start()
    engine.close()
    assert len(list(job.frames())) <= 6 + 1
    assert not engine._thread.is_alive()
    with pytest.raises(OverloadedError, match="closed"):
        engine.submit(sheet())


def test_what_was_kept_is_counted() -> None:
    denoiser = small_denoiser()
    canvas = sheet(draft=(TEXT, " ", NUMBER, CITE))
    with Engine(denoiser) as engine:
        list(engine.submit(canvas, Plan(schedule=3, commit=fixed_schedule(3))).frames())
        draft = canvas.segments[-1].end - canvas.segments[-1].start
        assert engine.counters.steps == 3
        assert engine.counters.rows == 3 * len(canvas)
        assert engine.counters.computed == len(canvas) + 2 * draft
