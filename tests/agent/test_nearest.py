"""What comes nearest to a question that nothing surely answers."""

from __future__ import annotations

from dataclasses import replace

from palimpsest.agent.nearest import quoted
from palimpsest.agent.state import ResearchState

from .world import ScriptedWriter, Shelf, finish, passage, report, tools

ASKED = "How high is the toll of the Orta ferry?"
TOLL = passage("Whoever crosses by the Orta ferry pays a toll to the warden. He keeps bees.", "Ferry rules")
OTHER = passage("The Orta ferry was painted green. Is the toll of the Orta ferry high?", "Paint")
FAR = passage("Bread rises in a warm room over night.", "A kitchen")


def test_an_answer_that_is_not_established_has_the_nearest_sentences_of_two_sources() -> None:
    """A report said "not established" and nothing else, though a sentence on it had been read."""
    shelf = Shelf(TOLL, OTHER, FAR)
    _, state = finish(ResearchState(question=ASKED), tools(ScriptedWriter({}), shelf))
    shown = report(state)
    findings = shown.split("## Findings")[1].split("## ")[0]
    assert "**Not established**" in shown
    assert "pays a toll" in findings
    assert "painted green" in findings
    assert not any(said in findings for said in ("bees", "Is the toll", "Bread"))


def test_without_words_and_beside_an_answer_nothing_is_added() -> None:
    plain = replace(tools(ScriptedWriter({}), Shelf(TOLL)), words=None)
    assert "## Findings" not in report(finish(ResearchState(question=ASKED), plain)[1])
    answered = tools(ScriptedWriter({"toll": r"to the (\w+)"}), Shelf(TOLL))
    _, state = finish(ResearchState(question="Who takes the toll of the Orta ferry?"), answered)
    assert "**warden**" in report(state)
    assert "bees" not in report(state)


def test_what_is_asked_again_in_vain_has_no_more_quoted() -> None:
    able = tools(ScriptedWriter({}), Shelf(TOLL, OTHER, FAR))
    _, state = finish(ResearchState(question=ASKED), able)
    (question,) = state.facts
    assert list(quoted(state, able, question)) == []
