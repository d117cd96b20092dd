"""The page of a run: what stands where, and what can be done."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from palimpsest.workflows import research
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.ui.workbench.pages import page, words
from tests.workflows import scripted


def draft_of(shown: AppTest) -> dict[str, Any]:
    """The values from which the page's first draft is built."""
    first = next(e for e in shown.get("bidi_component") if "draft" in e.proto.component_name)
    return dict(json.loads(first.proto.json))


def test_a_finished_run_shows_its_report_and_how_it_stands(finished: Run) -> None:
    shown = page("run", id=finished.folder.name)
    assert not shown.exception
    for heading in ("Plan", "Draft", "Evidence", "Steps", "Conflicts", "Revisions", "Hypotheses", "Timeline"):
        assert f">{heading}</h2>" in words(shown)
    assert 'data-status="done"' in words(shown)
    texts = [s["text"] for b in draft_of(shown)["blocks"] for s in b["spans"]]
    assert "Marisa" in texts


def test_a_run_that_does_not_exist_says_what_to_do(config: Config) -> None:
    assert "There is no such run" in words(page("run", id="../../etc"))


def test_a_stopped_run_can_be_resumed(config: Config) -> None:
    events = research.research(scripted.QUESTION, config)
    for _ in range(4):
        next(events)
    events.close()  # type: ignore[attr-defined]
    shown = page("run", id=scripted.only_run(config).folder.name)
    assert 'data-status="unfinished"' in words(shown)
    assert [b.label for b in shown.button if b.label == "Resume"] == ["Resume"]
