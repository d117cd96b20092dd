"""A list over prose: what is named, each once, with its sentence and its source."""

from __future__ import annotations

import re

from palimpsest.agent import listing
from palimpsest.agent import steps as step
from palimpsest.agent.state import Find, Query, ResearchState, SubQuestion
from palimpsest.retrieval.types import Passage

from .world import ScriptedWriter, Shelf, passage, report, tools

ASKED = SubQuestion(id="q1", text="List the barges of Lake Orta.", asked="List the barges of Lake Orta.", form="list")
NAMED = {"List the barges": r"barge ([A-Z]\w+)"}
MARISA = passage("The barge Marisa carries salt. She is old.", "Salt")
AGAIN = passage("On the quay lay the barge Marisa.", "Quay")
CORVO = passage("Wine goes by the barge Corvo.", "Wine")
NONE = passage("Bread rises in a warm room.", "Bread")


def listed(writer: ScriptedWriter, *held: Passage, form: str = "list") -> ResearchState:
    question = ASKED.model_copy(update={"form": form})
    finds = tuple(Find(passage=p.id, query=ASKED.text, rank=n, score=1.0) for n, p in enumerate(held, 1))
    asked = (Query(text=ASKED.text, question="q1", reason="question", asked=True),)
    state = ResearchState(question=ASKED.text, questions=(question,), queries=asked, evidence=held, finds=finds)
    steps = listing.write(state, tools(writer, Shelf()), question)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def entries(state: ResearchState) -> list[str]:
    return re.findall(r"^\| (.+) \|$", report(state), re.MULTILINE)[2:]


def test_each_thing_stands_once_with_its_sentence_and_its_source() -> None:
    state = listed(ScriptedWriter(NAMED), MARISA, AGAIN, CORVO, NONE)
    assert entries(state) == [
        "Marisa [1] | The barge Marisa carries salt. [1]",
        "Corvo [2] | Wine goes by the barge Corvo. [2]",
    ]
    assert "## What was found" in report(state)
    assert "## Side by side" not in report(state)
    for span in (s for s in state.draft.spans() if s.support):
        place, held = span.support[0], state.passage(span.support[0].passage)
        assert held.text[place.start - held.start : place.end - held.start] == span.text


def test_the_surest_stands_first() -> None:
    writer = ScriptedWriter(NAMED, sure={"Marisa": 0.5, "Corvo": 0.8})
    assert [row.split()[0] for row in entries(listed(writer, MARISA, CORVO))] == ["Corvo", "Marisa"]


def test_one_thing_is_no_list_and_a_question_for_one_answer_gets_none() -> None:
    assert listed(ScriptedWriter(NAMED), MARISA, AGAIN).draft.blocks == ()
    assert listed(ScriptedWriter(NAMED), MARISA, CORVO, form="open").draft.blocks == ()


def test_what_the_question_names_itself_is_no_entry() -> None:
    other = passage("They call it the barge Orta.", "Name")
    assert len(entries(listed(ScriptedWriter(NAMED), MARISA, CORVO, other))) == 2


def test_what_asks_for_several_things_has_a_list_beside_one_answer() -> None:
    """ "Which weirs let barges pass?" was answered by one weir and nothing else."""

    def planned(question: str) -> list[tuple[str, bool]]:
        steps = step.plan(ResearchState(question=question), tools(ScriptedWriter(NAMED), Shelf()))
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return [(q.form, q.tentative) for q in stop.value.questions]

    assert planned("Which weirs let barges pass?") == [("fact", True), ("list", False)]
    assert planned("Which weir lets barges pass?") == [("fact", False)]
