"""Many jobs, one model: denoising steps are shared, other work is cut into slices; fair, with backpressure and cancellation."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ..cache.span_cache import SPAN_CACHE, Cache
from ..canvas.canvas import Canvas
from ..decoding.sampler import Frame, Model, Plan, Progress, begin, step_all
from .line import Entry, Line, OverloadedError, Ticket

T = TypeVar("T")
ITEMS = 8  # that a job makes ahead of its reader; then it stands aside until some are taken


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


@dataclass(frozen=True)
class Made:
    """What one turn of the model made of a job: items to hand on, and whether that was its last turn; or what was raised instead."""

    items: tuple[Any, ...] = ()
    over: bool = False
    error: Exception | None = None


class CanvasWork:
    """A canvas to be built and denoised; `view` makes of each frame what is handed on, where the model is."""

    def __init__(self, build: Callable[[], Canvas], plan: Plan, cache: Cache, seed: int, view: Callable[[Frame], Any]):
        self.build, self.plan, self.cache, self.seed, self.view = build, plan, cache, seed, view
        self.reached: Progress | None = None

    @property
    def rows(self) -> int:
        """Rows that the next step computes, as far as is known."""
        assert self.reached is not None, "a canvas is built before it is stepped"
        frame = self.reached.frame
        return frame.report.recomputed if frame.report else len(frame.canvas)

    def begin(self) -> Made:
        self.reached = begin(self.build(), self.cache)
        return Made()

    def go_on(self, reached: Progress) -> Made:
        self.reached, frame = reached, reached.frame
        return Made((self.view(frame),), over=not bool(frame.canvas.open.any()))


class SlicedWork:
    """Something else that needs the model, cut into slices that are done one after the other; each makes one item."""

    def __init__(self, slices: Sequence[Callable[[], Any]]):
        self.slices = deque(slices)

    def go_on(self) -> Made:
        item = self.slices.popleft()()
        return Made((item,), over=not self.slices)


class Job(Entry, Generic[T]):
    """Work on its way. `items` yields what it makes; closing that iterator, or `cancel`, ends the work and frees its place."""

    def __init__(self, ticket: Ticket, work: CanvasWork | SlicedWork, engine: Engine):
        super().__init__(ticket)
        self.work: CanvasWork | SlicedWork | None = work  # None when it has ended: what the model kept for it is free
        self.made: deque[T] = deque()
        self.error: Exception | None = None
        self.cancelled = False
        self._engine = engine
        self._listener: Callable[[], None] = lambda: None

    @property
    def is_unbuilt(self) -> bool:
        return isinstance(self.work, CanvasWork) and self.work.reached is None

    def cancel(self) -> None:
        """Take the work off the engine: it has no further turn. A job that is done does not mind."""
        self._engine.cancel(self)

    def items(self) -> Iterator[T]:
        """Every item in order, as it is made. Raises what the model raised over this work."""
        over = False
        try:
            while not over:
                items, over = self._engine.take(self, wait=True)
                yield from items
        finally:
            self.cancel()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from any thread, whenever `take` may have more to say; for readers that must not block."""
        self._listener = listener

    def take(self) -> tuple[list[T], bool]:
        """What was made since the last time, without waiting, and whether that is all. Raises as `items` does."""
        return self._engine.take(self, wait=False)

    def tell(self) -> None:
        self._listener()


class Engine:
    """A model on a thread of its own.

    At most `active` canvases, of together `rows` rows to compute, share a step (one canvas alone may have more); at most `waiting`
    more jobs may stand in line, and none joins while more than `patience` seconds of work wait. Before each step or slice it is asked
    anew who is next (see `Line.order`), so that a small job passes between the slices of a large one.

    A context manager: leaving it cancels what is under way.
    """

    def __init__(
        self,
        model: Model,
        active: int = 16,
        waiting: int = 64,
        rows: int = 4096,
        patience: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.model, self.active, self.rows, self.clock = model, active, rows, clock
        self.counters = Counters()
        self._line: Line[Job[Any]] = Line(active + waiting, patience)
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
            for job in self._line.order():
                self._end(job, "cancelled", OverloadedError("the engine is closed"))
            self._changed.notify_all()
        self._thread.join()

    @property
    def load(self) -> tuple[int, int]:
        """Jobs that can share the next step, and those that wait beside them."""
        with self._changed:
            total = len(self._line)
        return min(total, self.active), max(total - self.active, 0)

    @property
    def backlog(self) -> float:
        """Seconds of work that are known to stand in line."""
        with self._changed:
            return self._line.waits

    def check_room(self, client: str = "") -> None:
        """OverloadedError when a job of this client would be refused now; cheaper than reading it first."""
        with self._changed:
            self._admitted(lambda: self._line.check(client))

    def submit(
        self,
        canvas: Canvas | Callable[[], Canvas],
        plan: Plan | None = None,
        cache: Cache = SPAN_CACHE,
        seed: int = 0,
        ticket: Ticket | None = None,
        view: Callable[[Frame], Any] = lambda frame: frame,
    ) -> Job[Any]:
        """Stand a canvas in line, or what builds one; the items are `view` of its frames. OverloadedError when the line is full."""
        build = (lambda: canvas) if isinstance(canvas, Canvas) else canvas
        return self._join(Job(ticket or Ticket(), CanvasWork(build, plan or Plan(), cache, seed, view), self))

    def run(self, slices: Sequence[Callable[[], T]], ticket: Ticket | None = None) -> Job[T]:
        """Stand other work in line (rankings, verdicts), one item a slice; others pass between the slices. Errors as of `submit`."""
        job = Job[T](ticket or Ticket(), SlicedWork(slices), self)
        if not slices:
            job.work = None  # nothing is asked: it is done
            return job
        return self._join(job)

    def cancel(self, job: Job[Any]) -> None:
        with self._changed:
            self._end(job, "cancelled")
            self._changed.notify_all()

    def take(self, job: Job[T], wait: bool) -> tuple[list[T], bool]:
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: job.made or job.work is None)
            items = list(job.made)
            job.made.clear()
            self._changed.notify_all()  # a job that stood aside because nobody read it goes on
        ended = job.work is None
        if ended and job.error and not items:
            raise job.error
        return items, ended and not job.error

    def _join(self, job: Job[T]) -> Job[T]:
        with self._changed:
            loser = self._admitted(lambda: self._line.join(job))
            if loser:
                self._end(loser, "rejected", OverloadedError("others ask too; try again in a few seconds"))
            self._changed.notify_all()
        return job

    def _admitted(self, ask: Callable[[], T]) -> T:
        if self._closed:
            raise OverloadedError("the engine is closed")
        try:
            return ask()
        except OverloadedError:
            self.counters.rejected += 1
            raise

    def _work(self) -> None:
        while picked := self._next():
            begun = self.clock()
            made = self._turn(picked)
            seconds = (self.clock() - begun) / len(picked)
            with self._changed:
                for job, each in zip(picked, made, strict=True):
                    self._line.charge(job, seconds)
                    self._settle(job, each)
                self._changed.notify_all()

    def _next(self) -> list[Job[Any]]:
        """Wait for the jobs of the next turn; none when the engine is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._ready())
            return [] if self._closed else self._batch(self._ready())

    def _ready(self) -> list[Job[Any]]:
        """The jobs whose reader keeps up, the next first."""
        return [j for j in self._line.order() if len(j.made) < ITEMS]

    def _batch(self, order: list[Job[Any]]) -> list[Job[Any]]:
        """The first job and those that can share its step; a canvas that could, were it built, is built before."""
        if isinstance(order[0].work, SlicedWork):
            return order[:1]
        unbuilt = next((j for j in order[: self.active] if j.is_unbuilt), None)
        if unbuilt:
            return [unbuilt]
        batch: list[Job[Any]] = []
        rows = 0
        for job in order:
            work = job.work
            if not isinstance(work, CanvasWork) or job.is_unbuilt or len(batch) == self.active:
                continue
            if not batch or rows + work.rows <= self.rows:
                batch.append(job)
                rows += work.rows
        return batch

    def _turn(self, picked: list[Job[Any]]) -> list[Made]:
        """One slice, the building of one canvas, or one step of every canvas."""
        works = [j.work for j in picked]
        first = works[0]
        if isinstance(first, SlicedWork):
            return [_made(first.go_on)]
        if isinstance(first, CanvasWork) and first.reached is None:
            return [_made(first.begin)]
        canvases = [w for w in works if isinstance(w, CanvasWork)]
        if len(canvases) < len(picked):  # one was cancelled since it was picked
            return [Made() for _ in picked]
        return self._step(canvases)

    def _step(self, works: list[CanvasWork]) -> list[Made]:
        """One step of each; an error is looked for one canvas at a time, so that it ends only the trajectory it belongs to."""
        try:
            reached = self._advance(works)
        except Exception as error:  # noqa: BLE001  (whatever a model raises is its caller's to hear, and must not end the thread)
            if len(works) == 1:
                return [Made(error=_bare(error))]
        else:
            return [_made(partial(w.go_on, p)) for w, p in zip(works, reached, strict=True)]
        return [made for work in works for made in self._step([work])]

    def _advance(self, works: list[CanvasWork]) -> list[Progress]:
        reached = [w.reached for w in works if w.reached]
        return step_all(self.model, reached, [w.plan for w in works], [w.seed for w in works])

    def _settle(self, job: Job[Any], made: Made) -> None:
        """Hand on what was made, and end the job where it is over."""
        if job.work is None:
            return
        if isinstance(job.work, CanvasWork) and made.items and job.work.reached:
            self._count(job.work.reached.frame)
        job.made.extend(made.items)
        if made.error:
            self._end(job, "failed", made.error)
        elif made.over:
            self._line.learn(job)
            self._end(job, "done")
        else:
            job.tell()

    def _count(self, frame: Frame) -> None:
        total = len(frame.canvas)
        self.counters.steps += 1
        self.counters.rows += total
        self.counters.computed += frame.report.recomputed if frame.report else total

    def _end(self, job: Job[Any], how: str, error: Exception | None = None) -> None:
        if job.work is None:
            return
        job.work, job.error, job.cancelled = None, error, how == "cancelled"
        self._line.leave(job)
        setattr(self.counters, how, getattr(self.counters, how) + 1)
        job.tell()


def _made(turn: Callable[[], Made]) -> Made:
    """The turn of one job, whose errors are its caller's to hear."""
    try:
        return turn()
    except Exception as error:  # noqa: BLE001  (raised again where the items are read)
        return Made(error=_bare(error))


def _bare(error: Exception) -> Exception:
    """The error without its frames, which hold what the model was working on; it may lie here for long. Where it was is noted."""
    error.add_note("raised in the engine:\n" + "".join(traceback.format_tb(error.__traceback__)))
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error
