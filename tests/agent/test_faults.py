"""Faults that are known and not yet mended. Each test says what must hold; when its fault is mended it passes, the strict mark
turns red, and the test moves to the file of its subject."""

from __future__ import annotations

import pytest

from palimpsest.agent.draft import moved
from palimpsest.agent.forms import resolved, sentences, subquestions
from palimpsest.agent.loop import amend
from palimpsest.agent.state import Filled, ResearchState, Tools, Verdict

from .world import ScriptedWriter, Shelf, finish, passage, research

BARGE = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01")
NEWER = passage("The fastest barge on Lake Orta is Marisa, which reaches 17 knots.", "Barges of 2026", "2026-03")
KITCHEN = passage("Bread rises best in a warm room.", "A kitchen", "2026-06-01")
QUESTION = "What is the fastest barge on Lake Orta, and how many knots does it reach?"
PATTERNS = {"fastest barge": r"Orta is (\w+)", "How many knots": r"reaches (\d+) knots"}


def writer() -> ScriptedWriter:
    return ScriptedWriter(PATTERNS)


def revised(before: ResearchState, *news: object, told: ScriptedWriter | None = None) -> ResearchState:
    return finish(amend(before, news), Tools(told or writer(), Shelf()))[1]  # type: ignore[arg-type]


def reopened(state: ResearchState) -> set[str]:
    return {s for r in state.revisions for s in r.reopened}


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="no Revision for a dependent answer that falls")
def test_an_answer_that_falls_with_the_one_it_rests_on_is_among_the_reopened() -> None:
    """`follow` opens the later answer, finish writes "Not established" over it, and no revision says so: locality breaks."""
    told = {"Which barge": r"race was (\w+)", "built": r"built by (Pietro Canale)"}
    race = passage("The only barge that won the great race was Marisa.", "Race", "2024-01-01")
    deed = passage("The Marisa barge was built by Pietro Canale in 1901.", "Deeds", "2024-01-01")
    again = passage("The only barge that won the great race was Tolomeo.", "Race again", "2026-01-01")
    _, before = research("Which barge won the race, and who built it?", ScriptedWriter(told), Shelf(race, deed))
    after = revised(before, again, told=ScriptedWriter(told))
    assert moved(before.draft, after.draft, reopened(after)) == []


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="an answer first found in version 2 has no Revision")
def test_an_answer_found_later_is_among_the_reopened() -> None:
    _, before = research(QUESTION, writer(), Shelf(KITCHEN))
    after = revised(before, BARGE)
    assert moved(before.draft, after.draft, reopened(after)) == []


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="`open.<question>.<version>` spans are never taken back")
def test_an_answer_found_later_is_no_longer_listed_as_not_established() -> None:
    _, before = research(QUESTION, writer(), Shelf(KITCHEN))
    after = revised(before, BARGE)
    assert "**Marisa**" in after.draft.text
    assert "What is the fastest barge on Lake Orta? Read" not in after.draft.text


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="the conflict is noted before the roll-back")
def test_a_conflict_that_was_rolled_back_says_that_the_old_sentence_stands() -> None:
    """The report said "Kept: the newer source" of a sentence that stands nowhere in it."""
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    told = writer()
    told.enqueue(*(Verdict(supports=s, refutes=0.9 - s, silent=0.1) for s in (0.2, 0.5, 0.3)))
    after = revised(before, NEWER, told=told)
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 12 knots." in after.draft.text
    assert [c.kept for c in after.conflicts] == [BARGE.text]


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="`_stands` takes 12 to stand in 12,000 and 1,012 to hold 012"
)
@pytest.mark.parametrize("figure", ["12,000", "3,12", "12 million"])
def test_a_figure_inside_a_larger_figure_does_not_stand(figure: str) -> None:
    """Twelve thousand knots were counted as agreement with twelve."""
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    news = passage(f"The fastest barge on Lake Orta is Marisa, which reaches {figure} knots.", "News", "2026-03")
    assert revised(before, news).conflicts


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="`_settle` fills the place and leaves the citation")
def test_a_place_filled_from_another_source_is_cited_to_it() -> None:
    """A person opens "12"; the words come from the second source, the citation behind them still says the first."""

    class Second(ScriptedWriter):
        def _fill(self, pieces, passages) -> list[Filled]:  # type: ignore[no-untyped-def]
            return super()._fill(pieces, [p for p in passages if p.id == NEWER.id])

    _, before = research(QUESTION, writer(), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12" and s.hypothesis == "c1")
    held = before.model_copy(update={"evidence": (*before.evidence, NEWER), "read": (*before.read, f"c1/{NEWER.id}")})
    _, after = finish(amend(held, [], reopen=[place]), Tools(Second(PATTERNS), Shelf()))
    assert after.draft.span(place).text == "17"
    assert "[2]" in after.draft.span("c1.cite").text


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="`_settle` keeps the old words of a place nothing fills")
def test_an_opened_place_that_nothing_fills_shows_it() -> None:
    """design.md 1: what is open stays open and is shown as such; the report went on saying 12."""

    class Silent(ScriptedWriter):
        def _fill(self, pieces, passages) -> list[Filled]:  # type: ignore[no-untyped-def]
            return super()._fill(pieces, [])

    _, before = research(QUESTION, writer(), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12" and s.hypothesis == "c1")
    _, after = finish(amend(before, [], reopen=[place]), Tools(Silent(PATTERNS), Shelf()))
    assert "which reaches 12 knots" not in after.draft.text


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="`amend` opens spans that are FIXED")
def test_fixed_words_cannot_be_opened() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    assert amend(before, [], reopen=["title"]).draft.span("title").status == "fixed"


@pytest.mark.xfail(
    strict=True, raises=(KeyError, IndexError, ValueError), reason="`resolved` formats the person's words"
)
@pytest.mark.parametrize("question", ["What does {x} mean?", "What is {} in Python?", "Who wrote {"])
def test_braces_in_a_question_are_just_text(question: str) -> None:
    """`question.text.format(**answers)` runs over words that a person typed, and the run dies."""
    assert resolved(subquestions(question)[0], {}) == question.rstrip("?") + "?"


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="`_trim` takes a leading minus for a list mark")
def test_a_sentence_keeps_its_sign() -> None:
    text = "-5 degrees were measured on the lake."
    assert [text[a:b] for a, b in sentences(text)] == [text]


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="the closing quote belongs to the cut, not to the sentence"
)
def test_a_sentence_keeps_its_closing_quote() -> None:
    text = "He said “Go.” Then he left."
    assert [text[a:b] for a, b in sentences(text)] == ["He said “Go.”", "Then he left."]
