"""The page of a run: what stands where, and what can be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from palimpsest.agent.draft import Block
from palimpsest.workflows import processes, research
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.frames import Line
from palimpsest.workflows.runs import Run
from tests.ui.workbench.pages import chosen, page, press, words
from tests.ui.workbench.test_markup import HOSTILE, seen
from tests.workflows import scripted


def draft_of(shown: AppTest) -> dict[str, Any]:
    """The values from which the page's first draft is built."""
    first = next(e for e in shown.get("bidi_component") if "draft" in e.proto.component_name)
    return dict(json.loads(first.proto.json))


def spans_of(shown: AppTest) -> dict[str, dict[str, Any]]:
    return {s["id"]: s for b in draft_of(shown)["blocks"] for s in b["spans"]}


@pytest.fixture
def started(config: Config) -> Callable[[int], Run]:
    """A run that was killed after some events."""

    def start(events: int) -> Run:
        stream = research.research(scripted.QUESTION, config)
        for _ in range(events):
            next(stream)
        stream.close()
        return scripted.only_run(config)

    return start


def test_a_finished_run_shows_its_report_and_how_it_stands(finished: Run) -> None:
    shown = page("run", id=finished.folder.name)
    assert not shown.exception
    for heading in ("Plan", "Draft", "Evidence", "Steps", "Conflicts", "Revisions", "Hypotheses", "Timeline"):
        assert f">{heading}</h2>" in words(shown)
    assert 'data-status="done"' in words(shown)
    assert spans_of(shown)["q1.answer"]["text"] == "Marisa"
    assert [b.disabled for b in shown.button if b.label in ("Reopen", "Pin")] == [True, True]


def test_a_run_that_does_not_exist_says_what_to_do(config: Config) -> None:
    assert "There is no such run" in words(page("run", id="../../etc"))


def test_two_pages_show_the_same_and_change_nothing(finished: Run) -> None:
    before = {p: p.read_bytes() for p in finished.folder.rglob("*.json*")}
    first, second = (page("run", id=finished.folder.name) for _ in range(2))
    assert draft_of(first) == draft_of(second)
    assert {p: p.read_bytes() for p in finished.folder.rglob("*.json*")} == before


def test_a_killed_run_is_resumed_to_the_same_report(started: Callable[[int], Run]) -> None:
    run = started(4)
    shown = page("run", id=run.folder.name)
    assert 'data-status="unfinished"' in words(shown)
    assert "nothing is lost" in words(shown)
    press(shown, "Resume")
    assert 'data-status="done"' in words(shown)
    assert verify(run) == []


def test_stop_asks_for_a_report_of_what_is_known(config: Config) -> None:
    stream = research.research(scripted.QUESTION, config)
    next(stream)
    run = scripted.only_run(config)
    shown = page("run", id=run.folder.name)
    assert 'data-status="running"' in words(shown)
    press(shown, "Stop")
    assert run.is_stop_asked()
    assert "Stopping" in words(shown)
    assert list(stream)[-1].data["stopped"] == "stopped"
    assert [b.label for b in page("run", id=run.folder.name).button if b.label == "Resume"] == ["Resume"]


def test_a_failure_is_its_sentence(started: Callable[[int], Run]) -> None:
    run = started(2)
    (run.folder / processes.LOG).write_text("research: the disk is full; make room\n", encoding="utf-8")
    shown = page("run", id=run.folder.name)
    assert 'data-status="failed"' in words(shown)
    assert "The disk is full; make room" in words(shown)


def test_masks_are_shown_as_they_are_filled(config: Config) -> None:
    stream = research.research(scripted.QUESTION, config)
    for _ in range(2):
        next(stream)
    run = scripted.only_run(config)
    shown = page("run", id=run.folder.name)
    spans = spans_of(shown)
    assert draft_of(shown)["busy"]
    assert {spans[s]["mask"] for s in ("q1.answer", "q2.answer")} <= {"TEXT", "ENTITY", "NUMBER"}
    slot = {"span": "q1.answer", "block": "q1.block", "kind": "ENTITY", "reason": "contradicted", "turn": 1}
    tokens = [{"text": "Mar", "open": False, "certainty": 0.9}, {"text": "isa", "open": True, "certainty": 0.4}]
    _frame(run, kind="slots", slots=[{**slot, "tokens": tokens}])
    expected = spans_of(shown.run())["q1.answer"]
    assert expected["mask"] == "ENTITY"
    assert expected["title"] == "an open place: a name (contradicted)"
    assert [(t["text"], t["open"]) for t in expected["tiles"]] == [("Mar", False), ("isa", True)]
    block = Block.model_validate({"id": "q1.block", "kind": "answer", "section": "answer.q1"})
    _frame(run, kind="draft", order=["q1.block"], blocks=[block])
    assert [b["id"] for b in draft_of(shown.run())["blocks"]] == ["q1.block"]
    stream.close()


def _frame(run: Run, **content: Any) -> None:
    count = run.frames_file.read_bytes().count(b"\n")
    line = Line.model_validate({"n": count, "version": 1, "after": 2, "at": 1.0, "step": "weigh", **content})
    with run.frames_file.open("a", encoding="utf-8") as out:
        out.write(line.model_dump_json() + "\n")


def test_evidence_of_a_span_is_its_source_with_everything_about_it(finished: Run) -> None:
    shown = chosen(page("run", id=finished.folder.name), "q1.answer")
    card = words(shown)
    assert "<mark>Marisa</mark>" in card
    for expected in (
        "Barges of 2024",
        "2024-05-01 – from its front matter",
        "How it was found",
        "Who else says it",
        "Nobody that was read",
    ):
        assert expected in card, expected


def test_a_span_is_reopened_and_what_changed_is_shown(finished: Run) -> None:
    shown = chosen(page("run", id=finished.folder.name), "c1.1")
    press(shown, "Reopen")
    assert len(finished.record().versions) == 2
    assert "Version 2: what changed" in words(shown)
    assert "stand as they stood, letter by letter" in words(shown)
    assert "opened by a person" in words(shown)


def test_a_span_is_pinned_and_let_go(finished: Run) -> None:
    shown = chosen(page("run", id=finished.folder.name), "q1.answer")
    press(shown, "Pin")
    assert spans_of(shown)["q1.answer"]["marks"] == ["pinned"]
    press(shown, "Unpin")
    assert spans_of(shown)["q1.answer"]["marks"] == []


def test_an_edit_is_the_persons_and_marked_so(finished: Run) -> None:
    shown = chosen(page("run", id=finished.folder.name), "q1.answer")
    shown.text_area(key="words-q1.answer").set_value("Marisa the Second")
    press(shown, "Put them there")
    assert spans_of(shown)["q1.answer"]["marks"] == ["pinned", "person"]
    assert "Words of a person" in words(shown)
    assert verify(finished) == []


def test_a_source_is_banned(finished: Run) -> None:
    shown = chosen(page("run", id=finished.folder.name), "q1.answer")
    press(shown, "Ban this source")
    assert finished.state(2).banned
    assert "a person banned its source" in words(shown)


def test_a_follow_up_question_adds_to_the_report(finished: Run) -> None:
    shown = page("run", id=finished.folder.name)
    shown.text_input(key="follow-up").set_value("How many guests does it carry?")
    press(shown, "Ask")
    assert finished.record().current.steering.question == "How many guests does it carry?"
    assert "guests" in words(shown)


def test_a_note_is_held_against_the_report(finished: Run) -> None:
    shown = page("run", id=finished.folder.name)
    shown.text_area(key="evidence-note").set_value(scripted.NEWER.split("---\n")[2])
    press(shown, "Hold the report against it")
    assert "17" in {s["text"] for s in spans_of(shown).values()}
    assert "<del>12</del> <ins>17</ins>" in words(shown)


def test_nothing_brought_is_a_sentence(finished: Run) -> None:
    shown = press(page("run", id=finished.folder.name), "Hold the report against it")
    assert "Nothing to revise with" in words(shown)


def test_conflicts_show_both_sides_and_why_one_was_kept(finished: Run, tmp_path: Path) -> None:
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    list(research.revise(finished, [tmp_path / "newer.md"]))
    card = words(page("run", id=finished.folder.name))
    assert "Kept: Barges of 2026 (2026-03-01)" in card
    assert "Against it: Barges of 2024 (2024-05-01)" in card
    assert "Kept: the newer source." in card


@pytest.mark.parametrize("hostile", HOSTILE[:12:3] + HOSTILE[13:18])
def test_hostile_words_of_a_document_are_text_on_the_page(config: Config, tmp_path: Path, hostile: str) -> None:
    bad = " ".join(hostile.split())
    said = f"The fastest barge on Lake Orta is Marisa, which reaches 12 knots, says {bad}."
    text = f"---\ntitle: {json.dumps(bad)}\ndate: 2025-05-01\n---\n{said}\n"
    scripted.lay_documents(config.docs[0], {"barges.md": text})
    run = scripted.finished(config, f"What is the fastest barge on Lake Orta, {bad}?")
    shown = chosen(page("run", id=run.folder.name), "q1.answer")
    assert not shown.exception
    for html in (str(e.proto.body) for e in shown.get("html")):
        parsed = seen(html)
        assert (
            not {tag for tag, _ in parsed.tags} & {"script", "img", "svg", "iframe", "style", "math", "a"}
            or "light-dark" in html
        )
        assert not any(name.startswith("on") for _, attributes in parsed.tags for name, _ in attributes)
    for button in shown.button:
        assert bad not in button.label or bad.isalnum()
