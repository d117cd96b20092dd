"""The plan before the work: shown as a list, changed by a person, and what the run then does is what they left."""

from __future__ import annotations

import time

from streamlit.testing.v1 import AppTest

from palimpsest.workflows import steering
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests.ui.workbench.conftest import Ways
from tests.ui.workbench.pages import page, press, words
from tests.workflows import scripted


def proposed(question: str = scripted.QUESTION) -> AppTest:
    """The page with the plan of a question."""
    shown = page("ask")
    shown.text_input(key="question").set_value(question)
    press(shown, "Start")
    for _ in range(200):
        if any(t.label == "Item 1" for t in shown.text_input) or "pp-problem" in words(shown):
            break
        time.sleep(0.05)
        shown.run()
    return shown


def items(shown: AppTest) -> list[str]:
    return [t.value for t in shown.text_input if t.label.startswith("Item ")]


def test_the_plan_waits_for_a_person(config: Config, went: Ways) -> None:
    shown = proposed()
    assert items(shown) == [
        "What is the fastest barge on Lake Orta?",
        "How many knots does it reach?",
        scripted.QUESTION,
    ]
    assert Run.all(config.out) == []
    press(shown, "Start")
    (run,) = Run.all(config.out)
    assert went == [("run", {"id": run.folder.name})]
    assert [item.words for item in run.record().config.plan] == items(proposed())


def test_a_plan_is_edited_reordered_cut_and_added_to(config: Config, went: Ways) -> None:
    shown = proposed()
    press(shown, "Down")
    assert items(shown) == [
        "How many knots does it reach?",
        "What is the fastest barge on Lake Orta?",
        scripted.QUESTION,
    ]
    press(shown, "Cut")
    assert items(shown) == ["What is the fastest barge on Lake Orta?", scripted.QUESTION]
    press(shown, "Down")
    press(shown, "Cut")
    assert items(shown) == ["What is the fastest barge on Lake Orta?"]
    next(t for t in shown.text_input if t.label == "Item 1").set_value("Which barge is the fastest?").run()
    next(t for t in shown.text_input if t.label == "One thing more").set_value("Who built the harbour?").run()
    press(shown, "Add")
    assert items(shown) == ["Which barge is the fastest?", "Who built the harbour?"]
    next(t for t in shown.text_input if t.label == "Limited to").set_value("as of 2023").run()
    press(shown, "Start")
    (run,) = Run.all(config.out)
    plan = run.record().config.plan
    assert [(item.words, item.scope) for item in plan] == [
        ("Which barge is the fastest?", "as of 2023"),
        ("Who built the harbour?", ""),
    ]
    assert [q.asked for q in run.state(1).questions][-1] == "Who built the harbour?"


def test_a_plan_that_cannot_be_made_is_a_sentence_and_leads_back(config: Config, monkeypatch: object) -> None:
    def refuse(question: str, config: Config) -> None:
        raise ResearchError("the model is not there; name another")

    patch = monkeypatch.setattr  # type: ignore[attr-defined]
    patch(steering, "plan", refuse)
    shown = proposed("Who?")
    assert "The model is not there; name another" in words(shown)
    press(shown, "Back to the question")
    assert next(t.label for t in shown.text_input) == "Research question"


def test_a_click_that_comes_with_an_edit_is_not_lost(config: Config, went: Ways) -> None:
    """Leaving a field by a click on a button sends both at once."""
    shown = proposed()
    next(t for t in shown.text_input if t.label == "Item 1").set_value("Which barge is the fastest?")
    press(shown, "Down")
    assert items(shown)[:2] == ["How many knots does it reach?", "Which barge is the fastest?"]
    next(t for t in shown.text_input if t.label == "Item 1").set_value("How fast is it?")
    press(shown, "Start")
    (run,) = Run.all(config.out)
    assert [item.words for item in run.record().config.plan][:2] == ["How fast is it?", "Which barge is the fastest?"]


def test_an_edit_that_cannot_be_is_said_and_changes_nothing(config: Config) -> None:
    shown = proposed()
    next(t for t in shown.text_input if t.label == "Item 1").set_value("  ").run()
    assert "pp-problem" in words(shown)
    press(shown, "Down")
    assert items(shown)[1] == "What is the fastest barge on Lake Orta?"
    assert "pp-problem" not in words(shown)
