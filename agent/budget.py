"""A budget of seconds, kept inside steps: tools look at the clock before each batch, and a step that is cut keeps what it saved.

Without a budget nothing here looks at a clock, so that a resumed run stays the run it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar, cast

from palimpsest.retrieval.types import Found, Passage

from .draft import Kind
from .state import (
    Candidate,
    Event,
    Events,
    Filled,
    Judge,
    Piece,
    Prose,
    Reader,
    Records,
    ResearchState,
    Step,
    TimedStep,
    Tools,
    Verdict,
    Writer,
)
from .watching import Eye, Seen

# Seconds beyond a budget in which a batch may still begin: a budget too short for anything gets one short look.
GRACE = 1.0
# The share of a budget after which nothing more is read: the rest is for writing it down and for the check.
READING = 0.75
# What reading may take, and what is never cut: without a plan and a finish there is no report. Other steps may take what there is.
SHARES = {"plan": math.inf, "search": READING, "weigh": READING, "finish": math.inf}
BATCH = 8  # canvases between two looks at the clock; on two cores the embedded model denoises them in 0.2 s
STOPPABLE = 32  # canvases between two looks at whether somebody stopped a run that has no budget

Item = TypeVar("Item")
Result = TypeVar("Result")


class BudgetSpent(Exception):
    """The seconds are over. Raised by tools, caught where the step was begun; never seen outside the loop."""


class Stopped(Exception):
    """A person wants the report now. Raised by tools; `state` is what the step had saved, for whoever writes that report."""

    state: ResearchState | None = None

    @property
    def known(self) -> ResearchState:
        assert self.state is not None, "the step that it ended says what it had saved"
        return self.state


def nobody() -> bool:
    """Nobody stops anything."""
    return False


@dataclass(frozen=True)
class Clock:
    """`end` is the instant, in seconds of `now`, after which no batch is begun; `batch` canvases are begun together.

    `stop` tells whether a person stopped the run.
    """

    end: float
    now: Callable[[], float] = time.monotonic
    stop: Callable[[], bool] = nobody
    batch: int = BATCH

    @property
    def is_over(self) -> bool:
        return self.now() >= self.end

    def check(self) -> None:
        if self.stop():
            raise Stopped
        if self.is_over:
            raise BudgetSpent

    def watch(self, call: Callable[..., Result]) -> Callable[..., Result]:
        """The same call, made only while there is time."""

        def in_time(*arguments: Any, **named: Any) -> Result:
            self.check()
            return call(*arguments, **named)

        return in_time

    def by_batches(self, call: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
        """What `call` gives for all items, a batch at a time."""
        found: list[Result] = []
        for start in range(0, len(items), self.batch):
            self.check()
            found += call(items[start : start + self.batch])
        return found


class Watched:
    """A tool that looks at the clock before every call."""

    def __init__(self, tool: Any, clock: Clock):
        self._tool, self._clock = tool, clock

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._tool, name)
        return self._clock.watch(value) if callable(value) else value


class WatchedProse(Watched):
    """A model that the clock is held to, and that can still be looked at while it works."""

    def seen(self, eye: Eye) -> Self:
        """The same, showing its steps; one that cannot be looked at so closely is the same as before."""
        return type(self)(self._tool.seen(eye), self._clock) if isinstance(self._tool, Seen) else self


class WatchedWriter(WatchedProse):
    """A writer that also looks between the batches of calls that take many canvases."""

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        return self._clock.by_batches(lambda some: self._tool.answers(question, kind, some, k), passages)

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        return self._clock.by_batches(self._tool.verdicts, pairs)

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        return self._clock.by_batches(self._tool.fill, forms)


def watched(tools: Tools, clock: Clock) -> Tools:
    """The same tools, which raise BudgetSpent once the clock has run down."""
    search: Callable[..., Found] = clock.watch(tools.search)
    reader = cast(Reader, Watched(tools.reader, clock)) if tools.reader else None
    prose = cast(Prose, WatchedProse(tools.prose, clock)) if tools.prose else None
    writer = cast(Writer, WatchedWriter(tools.writer, clock))
    records = cast(Records, Watched(tools.records, clock)) if tools.records else None
    judge = cast(Judge, WatchedWriter(tools.judge, clock)) if tools.judge else None
    return replace(tools, writer=writer, search=search, reader=reader, prose=prose, records=records, judge=judge)


def may_read(state: ResearchState) -> bool:
    """Whether there is time to ask and read more."""
    return not state.budget.seconds or state.spent < READING * state.budget.seconds


def timed(name: str, step: Step, now: Callable[[], float] = time.monotonic) -> TimedStep:
    """The step, its seconds added to the state, and ended when its share of the budget is spent.

    A step may yield the state it has reached among its events, with no event between that state and what it tells of: what a cut
    step leaves is the last of these, or the state it was given.
    """

    def run_step(state: ResearchState, tools: Tools) -> Events:
        start, spent, saved = now(), state.spent, state
        tools = _in_step(name, state, tools, start, now)
        running = step(state, tools)
        try:
            while True:
                item = next(running)
                if isinstance(item, Event):
                    if tools.watch:
                        tools.watch.event_came()
                    yield item
                else:
                    saved = item
                    _show(tools, saved)
        except StopIteration as ended:
            saved = ended.value
        except BudgetSpent:
            saved = saved.model_copy(update={"cut": (*saved.cut, name)})
            yield Event(step=name, kind="cut", text="the time budget ended this step; what was known by then is kept")
        except Stopped as stopped:
            stopped.state = saved.model_copy(update={"spent": spent + now() - start})
            raise
        _show(tools, saved)
        return saved.model_copy(update={"spent": spent + now() - start})

    return run_step


def _in_step(name: str, state: ResearchState, tools: Tools, start: float, now: Callable[[], float]) -> Tools:
    """The tools of one step: held to its share of the budget, ended when somebody stops the run, shown under its name."""
    if tools.watch:
        tools = replace(tools, watch=tools.watch.during(name))
    if state.budget.seconds:
        allowed = SHARES.get(name, 1.0) * (state.budget.seconds + GRACE)
        return watched(tools, Clock(start + allowed - state.spent, now, tools.stop or nobody))
    return watched(tools, Clock(math.inf, now, tools.stop, STOPPABLE)) if tools.stop else tools


def _show(tools: Tools, state: ResearchState) -> None:
    if tools.watch:
        tools.watch.draft(state.draft)
