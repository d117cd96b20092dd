"""The LangGraph graph tells the same story as the plain loop."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent import loop
from palimpsest.agent.state import Event, ResearchState, Tools
from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.loaders import load
from palimpsest.workflows import corpus
from palimpsest.workflows.config import Config
from palimpsest.workflows.graph import Checkpointed
from tests.workflows import scripted


def plainly(state: ResearchState, tools: Tools) -> tuple[list[Event], ResearchState]:
    seen: list[Event] = []

    def listen() -> Generator[Event, None, ResearchState]:
        return (yield from loop.run(state, tools))

    events = listen()
    while True:
        try:
            seen.append(next(events))
        except StopIteration as stop:
            return seen, stop.value


def by_graph(state: ResearchState, tools: Tools, path: Path) -> tuple[list[Event], ResearchState]:
    with Checkpointed(path) as graph:
        events = list(graph.stream(state.version, state, tools))
        reached = graph.reached(state.version)
    assert reached is not None
    assert reached[1] == len(events)
    return events, reached[0]


def without_clock(state: ResearchState) -> dict[str, Any]:
    return state.model_dump(exclude={"spent"})


@pytest.fixture
def tools(config: Config) -> Generator[Tools, None, None]:
    scripted.lay_documents(config.docs[0], {"rival.md": scripted.RIVAL})
    held = corpus.Corpus(config)
    yield corpus.tools(config, held)
    held.close()


@pytest.mark.parametrize("question", [scripted.QUESTION, "Who baked the bread?"])
def test_plain_loop_and_graph_agree_on_a_first_run(tools: Tools, tmp_path: Path, question: str) -> None:
    start = ResearchState(question=question)
    plain_events, plain = plainly(start, tools)
    graph_events, graph = by_graph(start, tools, tmp_path / "checkpoint.sqlite")
    assert [e.model_dump_json() for e in graph_events] == [e.model_dump_json() for e in plain_events]
    assert without_clock(graph) == without_clock(plain)
    assert plain.finished == "settled"


def test_the_first_run_of_these_tests_is_not_trivial(tools: Tools) -> None:
    kinds = {e.kind for e in plainly(ResearchState(question=scripted.QUESTION), tools)[0]}
    assert kinds >= {"planned", "searched", "believed", "wrote", "conflict", "reopened", "revised", "finished"}


def test_plain_loop_and_graph_agree_on_a_revision(tools: Tools, tmp_path: Path) -> None:
    _, first = plainly(ResearchState(question=scripted.QUESTION), tools)
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    amended = loop.amend(first, passages(load(tmp_path / "newer.md")))
    plain_events, plain = plainly(amended, tools)
    graph_events, graph = by_graph(amended, tools, tmp_path / "checkpoint.sqlite")
    assert [e.model_dump_json() for e in graph_events] == [e.model_dump_json() for e in plain_events]
    assert without_clock(graph) == without_clock(plain)
    assert plain.version == 2
    assert plain_events[0].kind == "attached", "an amended report is not planned again"


def test_a_checkpoint_never_runs_ahead_of_the_events_that_were_taken(tools: Tools, tmp_path: Path) -> None:
    """A node runs in a thread of its own; its writes once reached the file before anyone had heard its events."""
    total = len(plainly(ResearchState(question=scripted.QUESTION), tools)[0])
    for taken in range(1, total):
        path = tmp_path / f"{taken}.sqlite"
        with Checkpointed(path) as graph:
            events = graph.stream(1, ResearchState(question=scripted.QUESTION), tools)
            heard = [next(events) for _ in range(taken)]
            events.close()  # type: ignore[attr-defined]
            reached = graph.reached(1)
            count = reached[1] if reached else 0
            assert count <= taken
            start = None if reached else ResearchState(question=scripted.QUESTION)
            rest = list(graph.stream(1, start, tools))
        assert len(heard[:count]) + len(rest) == total
