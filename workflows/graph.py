"""The steps of the agent as a LangGraph graph: the twin of the plain loop, with a checkpoint after every step."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langsmith import tracing_context

from palimpsest.agent import loop
from palimpsest.agent.state import Event, ResearchState, TimedStep, Tools

from .config import may_trace
from .errors import DamagedError


class Channels(TypedDict):
    """What a checkpoint holds: the state as JSON (no type of ours enters LangGraph's own format) and the events so far."""

    state: str
    events: int


@dataclass(frozen=True)
class Dependencies:
    """Run-time context of the graph: never stored."""

    tools: Tools


def node(step: TimedStep) -> Callable[..., Channels]:
    """A step as a node: its generator is drained, its events go to the stream, its state into the checkpoint."""

    def run_node(channels: Channels, runtime: Runtime[Dependencies]) -> Channels:
        events, count = (
            step(ResearchState.model_validate_json(channels["state"]), runtime.context.tools),
            channels["events"],
        )
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                return {"state": stop.value.model_dump_json(), "events": count}
            count += 1
            runtime.stream_writer(event.model_dump(mode="json"))

    return run_node


def build(steps: Mapping[str, TimedStep]) -> Any:
    """The graph, not yet compiled: `begin` picks the first step and `route` the one after a check."""
    graph = StateGraph(Channels, context_schema=Dependencies)
    for name, step in steps.items():
        graph.add_node(name, node(step))
    graph.add_conditional_edges(START, lambda c: loop.begin(_state(c)), ["plan", "steer"])
    for name, following in loop.NEXT.items():
        graph.add_edge(name, following)
    graph.add_conditional_edges("check", lambda c: loop.route(_state(c)), ["search", "finish"])
    graph.add_edge("finish", END)
    return graph


def _state(channels: Channels) -> ResearchState:
    return ResearchState.model_validate_json(channels["state"])


class WholeSteps(SqliteSaver):
    """Keeps nothing between two checkpoints, so that a step cut off in the middle happens again as a whole.

    LangGraph would store what a node returned as soon as it returned, which may be before its events were heard: a run killed
    then would go on without them.
    """

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        return None


class Checkpointed:
    """A graph over one SQLite file; threads in it are report versions. Use as `with Checkpointed(path) as graph`."""

    def __init__(self, path: Path, steps: Mapping[str, TimedStep] = loop.STEPS):
        self.path, self.steps = path, steps

    def __enter__(self) -> Checkpointed:
        self._connection = closing(sqlite3.connect(self.path, check_same_thread=False))
        self._app = build(self.steps).compile(checkpointer=WholeSteps(self._connection.__enter__()))
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.__exit__(None, None, None)

    def reached(self, version: int) -> tuple[ResearchState, int] | None:
        """The state and the number of events at the last checkpoint of a version; None before the first.

        DamagedError when the file holds something else than was written.
        """
        try:
            values = self._app.get_state(_thread(version)).values
            return (_state(values), values["events"]) if values else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # what LangGraph makes of flipped bytes
            raise DamagedError(f"{type(error).__name__} on reading it") from error

    def stream(self, version: int, start: ResearchState | None, tools: Tools) -> Iterator[Event]:
        """Events as they happen, from `start`, or from the last checkpoint when that is None."""
        given = {"state": start.model_dump_json(), "events": 0} if start else None
        parts = self._app.stream(
            given, _thread(version), context=Dependencies(tools), stream_mode="custom", durability="sync"
        )
        return (Event.model_validate(part) for part in _untraced(parts))


def _untraced(parts: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same parts, made while LangSmith is off unless the person asked for it.

    It keeps the environment it first read, and a notebook may have turned it on in other ways; this outranks both. Entered anew
    for each part, because a generator that stays in a context leaks it into its caller's.
    """
    while True:
        with tracing_context(enabled=None if may_trace() else False):
            part = next(parts, None)
        if part is None:
            return
        yield part


def _thread(version: int) -> dict[str, Any]:
    return {"configurable": {"thread_id": str(version)}, "recursion_limit": 200}


def history(path: Path, version: int) -> list[ResearchState]:
    """The states at the checkpoints of a version, the oldest first; read beside whoever writes. DamagedError for what is none.

    Where it cannot be read at this moment (its writer is just making it) there is nothing to see yet.
    """
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)) as held:
            saver = SqliteSaver(held)
            saver.is_setup = True  # setting up would write
            kept = [
                c.checkpoint["channel_values"]
                for c in saver.list(RunnableConfig(configurable=_thread(version)["configurable"]))
            ]
        return [_state(values) for values in reversed(kept) if "state" in values]
    except sqlite3.OperationalError:
        return []
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{type(error).__name__} on reading it") from error
