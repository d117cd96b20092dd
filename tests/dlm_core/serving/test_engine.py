"""The batched engine makes the same frames as one canvas at a time, lets nobody starve, and forgets whoever goes away."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from functools import partial

import pytest
import torch

from palimpsest.dlm_core.cache.span_cache import Cache
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.rules import fixed_schedule
from palimpsest.dlm_core.decoding.sampler import Frame, Guess, Plan, denoise
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.serving.engine import ITEMS, Engine, Job
from palimpsest.dlm_core.serving.line import OverloadedError

from ..cache.test_forward import built, hosted
from ..world import CITE, ENTITY, NUMBER, TEXT, ToyDenoiser, sheet, small_denoiser

FREE = SlotSpec(MaskKind.TEXT, 6, free=True)
STEPS = Plan(schedule=6, commit=fixed_schedule(6))


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
        (llada, [built(llada), built(llada, ("It is ", FREE)), built(llada, (FREE, ENTITY))]),
    ):
        plans = [Plan(schedule=n + 1, commit=fixed_schedule(n + 1)) for n in range(3)]
        with Engine(model) as engine:
            jobs = [engine.submit(c, p) for c, p in zip(given, plans, strict=True)]
            trajectories = [list(job.items()) for job in jobs]
        for canvas, plan, trajectory in zip(given, plans, trajectories, strict=True):
            alone = list(denoise(model, canvas, schedule=plan.schedule, commit=plan.commit))
            assert len(trajectory) == len(alone)
            for one, two in zip(trajectory, alone, strict=True):
                assert torch.equal(one.canvas.tokens, two.canvas.tokens)
                assert torch.equal(one.canvas.source, two.canvas.source)
                torch.testing.assert_close(one.guess.prob, two.guess.prob, atol=1e-4, rtol=1e-3)


def test_canvases_join_between_steps() -> None:
    model = Gated()
    with Engine(model, active=8) as engine:
        first = engine.submit(sheet(draft=(FREE, CITE)), STEPS)
        assert model.asked.acquire(timeout=20)  # the first step is under way, alone
        others = [engine.submit(sheet(draft=(FREE, CITE)), STEPS) for _ in range(2)]
        model.let(50)
        assert all(len(list(j.items())) >= 6 for j in (first, *others))
    assert [len(shared) for shared in model.history[:2]] == [1, 3]


def test_when_more_wait_than_fit_all_take_turns() -> None:
    """Six canvases through two places: after three steps, of a second each, every one has had at least one."""
    model = Gated()
    with Engine(model, active=2, clock=lambda: float(len(model.history))) as engine:
        blocker = engine.submit(sheet(draft=(FREE, CITE)), STEPS)
        assert model.asked.acquire(timeout=20)
        jobs = [engine.submit(sheet(draft=(FREE, CITE)), STEPS) for _ in range(5)]
        for _ in range(3):
            model.let(1)
            assert model.asked.acquire(timeout=20)
        assert [len(j.made) for j in (blocker, *jobs)] == [1, 1, 1, 1, 1, 0]  # the sixth is in the step under way
        model.let(50)
        assert all(list(j.items()) for j in (blocker, *jobs))
    assert engine.counters.done == 6


def test_a_full_line_is_said_so_and_loses_nothing() -> None:
    model = Gated()
    with Engine(model, active=1, waiting=2) as engine:
        running = engine.submit(sheet(), STEPS)
        assert model.asked.acquire(timeout=20)
        waiting = [engine.submit(sheet(), STEPS), engine.run([lambda: 7])]
        for refused in (lambda: engine.submit(sheet(), STEPS), lambda: engine.run([lambda: None]), engine.check_room):
            with pytest.raises(OverloadedError, match="3 requests are here already") as raised:
                refused()
            assert raised.value.seconds >= 1
        model.let(50)
        assert all(list(j.items()) for j in (running, *waiting))
        assert engine.counters.rejected == 3
        assert engine.load == (0, 0)
        engine.check_room()


def test_who_goes_away_frees_the_place() -> None:
    model = Gated()
    with Engine(model, active=1, waiting=1) as engine:
        gone = engine.submit(sheet(draft=(FREE, CITE)), STEPS)
        trajectory = gone.items()
        model.let(1)
        next(trajectory)
        trajectory.close()
        after = engine.submit(sheet(draft=(TEXT, CITE)), Plan(schedule=1))
        model.let(50)
        assert len(list(after.items())) == 1
        assert engine.counters.cancelled == 1
        assert engine.counters.done == 1


def test_an_error_ends_only_the_trajectory_it_belongs_to() -> None:
    """The embedded model refuses free prose; its neighbours in the batch do not notice."""
    with Engine(small_denoiser()) as engine:
        good, bad, other = (engine.submit(sheet(draft=d)) for d in ((TEXT, CITE), (FREE,), (NUMBER, CITE)))
        assert list(good.items())[-1].canvas.open.sum() == 0
        with pytest.raises(ValueError, match="no free prose"):
            list(bad.items())
        assert list(other.items())
        assert engine.counters.failed == 1
        assert list(engine.submit(sheet()).items())


def test_other_work_is_done_on_the_models_thread_slice_by_slice() -> None:
    with Engine(small_denoiser()) as engine:
        job = engine.run([lambda: threading.current_thread().name, lambda: None, lambda: 3])
        assert list(job.items()) == ["denoising engine", None, 3]
        assert list(engine.run([]).items()) == []
        broken = engine.run([lambda: 1, lambda: 1 / 0, lambda: 2])
        with pytest.raises(ZeroDivisionError):
            list(broken.items())
        assert engine.counters.failed == 1


def test_a_small_job_passes_between_the_slices_of_a_large_one() -> None:
    """Six slices of a second each; a canvas that came during the first of them is done before the second."""
    now, done, small = 0.0, [], []
    begun = threading.Semaphore(0)

    def slice_(number: int) -> int:
        nonlocal now
        begun.release()
        while not small:
            time.sleep(0.01)
        now += 1.0
        done.append((number, small[0].work is None))
        return number

    with Engine(small_denoiser(), clock=lambda: now) as engine:
        large = engine.run([partial(slice_, n) for n in range(6)])
        assert begun.acquire(timeout=20)
        small.append(engine.submit(lambda: sheet(draft=(TEXT, CITE)), Plan(schedule=2)))
        assert list(large.items()) == list(range(6))
    assert done == [(0, False), *((n, True) for n in range(1, 6))]


def test_a_canvas_is_built_on_the_models_thread_and_its_frames_are_seen_there() -> None:
    threads = []

    def build() -> Canvas:
        threads.append(threading.current_thread().name)
        return sheet(draft=(TEXT, CITE))

    def view(frame: Frame) -> int:
        threads.append(threading.current_thread().name)
        return frame.step

    with Engine(small_denoiser()) as engine:
        assert list(engine.submit(build, Plan(schedule=2), view=view).items()) == [0, 1]
        assert set(threads) == {"denoising engine"}
        with pytest.raises(ZeroDivisionError):
            list(engine.submit(sheet(), view=lambda frame: 1 / 0).items())
        with pytest.raises(ValueError, match="does not fit"):
            list(engine.submit(lambda: sheet(draft=(SlotSpec(MaskKind.TEXT, 300),))).items())
        assert engine.load == (0, 0)


def test_a_job_that_nobody_reads_stands_aside() -> None:
    """Its output was a queue without bound: now others go on, and so does it as soon as somebody reads."""
    model, steps = ToyDenoiser({0: 0.9, 1: 0.9}), 3 * ITEMS
    long = Plan(schedule=steps, commit=fixed_schedule(steps))
    with Engine(model, active=1) as engine:
        unread = engine.submit(sheet(draft=(SlotSpec(MaskKind.TEXT, steps, free=True), CITE)), long)
        for _ in range(3):
            assert list(engine.submit(sheet(), Plan(schedule=1)).items())
        while len(unread.made) < ITEMS:
            assert list(engine.submit(sheet(), Plan(schedule=1)).items())
        before = len(model.history)
        assert list(engine.submit(sheet(), Plan(schedule=1)).items())
        assert len(model.history) == before + 1  # the full one had no step
        assert len(unread.made) == ITEMS
        assert len(list(unread.items())) >= steps


def test_a_step_has_so_many_rows_and_no_more() -> None:
    model = Gated()
    size = len(sheet(draft=(FREE, CITE)))
    with Engine(model, rows=3 * size) as engine:
        first = engine.submit(sheet(draft=(FREE, CITE)), STEPS)
        assert model.asked.acquire(timeout=20)
        others = [engine.submit(sheet(draft=(FREE, CITE)), STEPS) for _ in range(4)]
        model.let(100)
        assert all(list(j.items()) for j in (first, *others))
    assert max(map(len, model.history)) == 3


def test_who_goes_away_takes_along_what_the_model_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a cancelled, a failed and a finished trajectory nobody owns a row, though the errors are held."""
    model = hosted("llada")
    gc.collect()
    owned = model.arena.owned
    with Engine(model) as engine:
        left: Job[Frame] = engine.submit(built(model, ("It is ", FREE)), STEPS)
        assert next(left.items())
        done = engine.submit(built(model, ("It is ", FREE)), STEPS)
        assert len(list(done.items())) == 6
        failing = engine.submit(built(model, ("It is ", FREE)), STEPS)
        frames = failing.items()
        next(frames)
        monkeypatch.setattr(type(model.body), "rows", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError) as raised:
            list(frames)
        list(engine.run([lambda: 0]).items())  # whatever was under way is over
        gc.collect()
        assert model.arena.owned == owned
        assert raised.value is failing.error


def test_closing_ends_everything() -> None:
    model = Gated()
    engine = Engine(model)
    job = engine.submit(sheet(draft=(FREE, CITE)), STEPS)
    assert model.asked.acquire(timeout=20)
    closing = threading.Thread(target=engine.close)
    closing.start()
    with pytest.raises(OverloadedError, match="closed"):  # never a trajectory that is cut off and looks whole
        list(job.items())
    model.let(50)
    closing.join(20)
    assert not engine._thread.is_alive()
    with pytest.raises(OverloadedError, match="closed"):
        engine.submit(sheet())


def test_what_was_kept_is_counted() -> None:
    denoiser = small_denoiser()
    canvas = sheet(draft=(TEXT, " ", NUMBER, CITE))
    with Engine(denoiser) as engine:
        list(engine.submit(canvas, Plan(schedule=3, commit=fixed_schedule(3))).items())
        draft = canvas.segments[-1].end - canvas.segments[-1].start
        assert engine.counters.steps == 3
        assert engine.counters.rows == 3 * len(canvas)
        assert engine.counters.computed == len(canvas) + 2 * draft
