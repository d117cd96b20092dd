"""The loop runs unchanged on a checkpoint of any family; random weights write nonsense, and every promise holds all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.agent.draft import moved
from palimpsest.agent.loop import amend
from palimpsest.agent.writer import ModelWriter

from ..dlm_core.models.checkpoints import FAMILIES, write
from .world import Shelf, finish, passage, report, research, tools

PASSAGES = (
    passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01"),
    passage("Pietro Canale built the Marisa of oak in 1901.", "Builders", "2020"),
)
NEWER = passage("The fastest barge on Lake Orta is Marisa, which reaches 17 knots.", "Barges of 2026", "2026-03")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_and_a_revision(family: str, tmp_path: Path) -> None:
    writer = ModelWriter(write(family, tmp_path / family))
    shelf = Shelf(*PASSAGES)
    events, state = research("How many knots does the Marisa reach?", writer, shelf, rounds=1)
    assert events[-1].kind == "finished"
    held = {p.id: p for p in state.evidence}
    quoted = [s for s in state.draft.spans() if s.support]
    assert quoted or "Not established" in report(state)
    for span in quoted:
        for support in span.support:
            source = held[support.passage]
            assert source.text[support.start - source.start : support.end - source.start] == support.quote
    _, after = finish(amend(state, [NEWER]), tools(writer, shelf))
    assert moved(state.draft, after.draft, {s for r in after.revisions for s in r.reopened}) == []


def test_the_same_checkpoint_and_question_give_the_same_report(tmp_path: Path) -> None:
    folder = write("llada", tmp_path / "llada")
    reports = [
        research("How many knots does the Marisa reach?", ModelWriter(folder), Shelf(*PASSAGES), rounds=1)[1]
        for _ in range(2)
    ]
    assert report(reports[0]) == report(reports[1])
