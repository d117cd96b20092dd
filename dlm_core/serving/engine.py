"""Many canvases, one model: continuous batching of denoising steps, fair, with backpressure and cancellation."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..cache.span_cache import SPAN_CACHE, Cache
from ..canvas.canvas import Canvas
from ..decoding.sampler import Frame, Model, Plan, Progress, begin, step_all

T = TypeVar("T")


class OverloadedError(Exception):
    """More canvases wait than the engine was told to let wait; try again later."""


@dataclass
class Counters:
    """What an engine has done since it was opened; `rows` of the canvases it guessed on, `computed` of those not taken from cache."""

    done: int = 0
    failed: int = 0
    cancelled: int = 0
    rejected: int = 0
    steps: int = 0
    rows: int = 0
    computed: int = 0


_END = object()


@dataclass(eq=False)
class Job:
    """One canvas on its way. `frames` yields its trajectory as it is made; closing that iterator, or `cancel`, frees its place."""

    reached: Progress
    plan: Plan
    seed: int
    _out: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    cancelled: bool = False

    def cancel(self) -> None:
        """Take the canvas off the engine before its next step; a job that is done does not mind."""
        self.cancelled = True

    @property
    def frame(self) -> Frame:
        return self.reached.frame

    def frames(self) -> Iterator[Frame]:
        """Every frame in order. Raises what the model raised over this canvas."""
        try:
            while (told := self._out.get()) is not _END:
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            self.cancel()


class Engine:
    """A model on a thread of its own. At most `active` canvases share a step; at most `waiting` more may stand in line.

    A context manager: leaving it cancels what is under way. Steps go round: when more canvases wait than fit, those that have had
    a step go to the end of the line, so that none waits for another's whole trajectory.
    """

    def __init__(self, model: Model, active: int = 16, waiting: int = 64):
        self.model, self.active, self.waiting = model, active, waiting
        self.counters = Counters()
        self._line: deque[Job] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="denoising engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel every job, finish the step under way, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    @property
    def load(self) -> tuple[int, int]:
        """Canvases that share the next step, and those that wait for one."""
        with self._changed:
            total = len(self._line)
        return min(total, self.active), max(total - self.active, 0)

    def submit(self, canvas: Canvas, plan: Plan | None = None, cache: Cache = SPAN_CACHE, seed: int = 0) -> Job:
        """Stand a canvas in line. OverloadedError when the line is full."""
        job = Job(begin(canvas, cache), plan or Plan(), seed)
        with self._changed:
            self._check_room()
            self._line.append(job)
            self._changed.notify()
        return job

    def call(self, work: Callable[[], T]) -> T:
        """Something else that needs the model (a ranking, a verdict): done between two steps, on the model's thread."""
        told: Future[T] = Future()
        with self._changed:
            self._check_room()
            self._calls.append((work, told))
            self._changed.notify()
        return told.result()

    def _check_room(self) -> None:
        if self._closed:
            raise OverloadedError("the engine is closed")
        if len(self._line) + len(self._calls) >= self.active + self.waiting:
            self.counters.rejected += 1
            raise OverloadedError(f"{self.waiting} requests wait already; try again in a few seconds")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._line or self._calls or self._closed)
                if self._closed:
                    break
                call = self._calls.popleft() if self._calls else None
                picked = self._pick()
            if call:
                _answer(*call)
            if picked:
                self._step(picked)
        self._leave()

    def _pick(self) -> list[Job]:
        """The canvases of the next step, taken off the line; those that were cancelled are gone."""
        for job in [j for j in self._line if j.cancelled]:
            self._line.remove(job)
            self._end(job, "cancelled")
        return [self._line.popleft() for _ in range(min(self.active, len(self._line)))]

    def _step(self, jobs: list[Job]) -> None:
        """One step of each; an error is looked for one canvas at a time, so that it ends only the trajectory it belongs to."""
        try:
            frames: list[Progress | Exception] = list(self._advance(jobs))
        except Exception as error:  # noqa: BLE001  (whatever a model raises is its caller's to hear, and must not end the thread)
            frames = [error] if len(jobs) == 1 else [self._alone(job) for job in jobs]
        again = [job for job, frame in zip(jobs, frames, strict=True) if self._tell(job, frame)]
        with self._changed:
            self._line.extend(again)

    def _alone(self, job: Job) -> Progress | Exception:
        try:
            return self._advance([job])[0]
        except Exception as error:  # noqa: BLE001
            return error

    def _advance(self, jobs: list[Job]) -> list[Progress]:
        return step_all(self.model, [j.reached for j in jobs], [j.plan for j in jobs], [j.seed for j in jobs])

    def _tell(self, job: Job, reached: Progress | Exception) -> bool:
        """Hand a frame on; whether the canvas needs another step."""
        if isinstance(reached, Exception):
            job._out.put(reached)
            self._end(job, "failed")
            return False
        job.reached, frame = reached, reached.frame
        self._count(frame)
        job._out.put(frame)
        if bool(frame.canvas.open.any()):
            return True
        self._end(job, "done")
        return False

    def _count(self, frame: Frame) -> None:
        total = len(frame.canvas)
        self.counters.steps += 1
        self.counters.rows += total
        self.counters.computed += frame.report.recomputed if frame.report else total

    def _end(self, job: Job, how: str) -> None:
        setattr(self.counters, how, getattr(self.counters, how) + 1)
        job._out.put(_END)

    def _leave(self) -> None:
        for job in self._line:
            self._end(job, "cancelled")
        for _, told in self._calls:
            told.set_exception(OverloadedError("the engine is closed"))


def _answer(work: Callable[[], Any], told: Future[Any]) -> None:
    try:
        told.set_result(work())
    except Exception as error:  # noqa: BLE001  (raised again where the call was made)
        told.set_exception(error)
