"""Figures that other sources give beside an answer are quoted under it, and nothing that measures something else."""

from __future__ import annotations

import pytest

from palimpsest.agent import beside
from palimpsest.agent.drafting import give_up, put_answer
from palimpsest.agent.figures import single
from palimpsest.agent.state import ResearchState

from .world import NUMBERS, ScriptedWriter, Shelf, drained, passage, report, research

ASKED = "How many orchids does the glasshouse at Fenn hold?"
OWN = passage("The glasshouse at Fenn holds 4,310 orchids.", "Guide", "2023-04-01")
COUNTED = "At Fenn they counted 3,900 orchids by now."
OTHER = passage(COUNTED, "Stock book of the glasshouse", "2021-02-01")
PATTERN = r"([\d,]+) orchids"


def told(*others: str, sure: dict[str, float] | None = None, asked: str = ASKED) -> ResearchState:
    """What is found of an answer, and of other sources, each read with 0.7 where not said otherwise."""
    held = [passage(text, f"The glasshouse, note {n}") for n, text in enumerate(others)]
    writer = ScriptedWriter({"orchids": PATTERN}, {"4,310": 0.95, **(sure or {})})
    return research(asked, writer, Shelf(OWN, *held))[1]


def quoted(state: ResearchState) -> list[str]:
    return [b.text for b in state.draft.blocks if b.id.startswith("q1.beside.")]


def test_another_figure_is_quoted_under_the_answer_with_its_age() -> None:
    writer = ScriptedWriter({"orchids": PATTERN}, {"4,310": 0.95, "3,900": 0.7})
    _, state = research(ASKED, writer, Shelf(OWN, OTHER))
    shown = report(state)
    assert "**4,310** [1] (one source; an older source gives another figure)" in shown
    assert f"> {COUNTED} [2]" in shown
    assert not state.conflicts


def test_several_sources_give_other_figures_and_two_are_shown() -> None:
    state = told(*(f"At Fenn they counted {n} orchids by now." for n in ("3,900", "5,200", "6,100")))
    assert len(quoted(state)) == beside.MOST
    assert "(one source; other sources give other figures)" in report(state)


@pytest.mark.parametrize(
    ("figure", "is_named"),
    [("3,900", True), ("60 percent", False), ("4,300", False)],  # of another measure; the same in round numbers
)
def test_only_another_figure_of_the_same_measure_is_named(figure: str, is_named: bool) -> None:
    writer = ScriptedWriter({"orchids": rf"(4,310|{figure})"}, {"4,310": 0.95})
    held = passage(f"In the glasshouse Fenn counted {figure} as orchids.", "Orchids at Fenn")
    _, state = research(ASKED, writer, Shelf(OWN, held))
    rival = next(h for h in state.graph.answers("q1") if h.text == figure)
    assert rival.probability >= NUMBERS.beside
    assert bool(quoted(state)) is is_named


def test_a_figure_is_named_from_a_probability_on_and_from_a_lower_one_where_the_answer_is_named_too() -> None:
    text, weak = "At Fenn they spoke of 3,900 orchids by now.", {"3,900": 0.13}
    state = told(text, sure=weak)
    rival = next(h for h in state.graph.answers("q1") if h.text == "3,900")
    assert NUMBERS.established <= rival.probability < NUMBERS.beside
    assert quoted(state) == []
    spoken = f"The figure of 4,310 counts seedlings. {text}"
    own = ScriptedWriter({"orchids": r"([\d,]+) orchids"}, {"4,310": 0.95, **weak})
    _, state = research(ASKED, own, Shelf(OWN, passage(spoken, "The glasshouse, a letter")))
    assert quoted(state) == [spoken]  # with the sentence that tells why


def test_a_small_number_is_named_by_chance() -> None:
    asked = "How many glasshouses does the garden at Fenn have?"
    own = passage("The garden at Fenn has four glasshouses.", "Guide")
    held = passage("At the garden of Fenn four roads meet. Some say that it does have seven glasshouses.", "Roads")
    writer = ScriptedWriter({"glasshouses": r"(four|seven) glasshouses"}, {"four": 0.95, "seven": 0.1})
    _, state = research(asked, writer, Shelf(own, held))
    rival = next(h for h in state.graph.answers("q1") if h.text == "seven")
    assert NUMBERS.established <= rival.probability < NUMBERS.beside
    assert quoted(state) == []


def test_the_answer_to_another_part_of_the_question_is_not_named() -> None:
    asked = "How many orchids does the glasshouse at Fenn hold, and how many ferns does it hold?"
    both = passage("Beside orchids Fenn grows 870 ferns in the glasshouse.", "Plants of Fenn")
    patterns = {"orchids": r"(?:holds|grows) ([\d,]+)", "ferns": r"([\d,]+) ferns"}
    _, state = research(asked, ScriptedWriter(patterns, {"4,310": 0.95}), Shelf(OWN, both))
    rival = next(h for h in state.graph.answers("q1") if h.text == "870")
    assert rival.probability >= NUMBERS.beside
    assert [state.draft.span(f"q{n}.answer").text for n in (1, 2)] == ["4,310", "870"]
    assert "figure" not in report(state)


def test_what_is_quoted_beside_an_answer_is_no_finding_too() -> None:
    why = "Some write of 4,310 orchids and count seedlings, cuttings and gifts among them."
    held = passage(f"{why} {COUNTED}", "The glasshouse, a letter", "2021-02-01")
    writer = ScriptedWriter({"orchids": r"(?:holds|counted) ([\d,]+)"}, {"4,310": 0.95})
    _, state = research(ASKED, writer, Shelf(OWN, held), rounds=1)
    assert quoted(state) == [f"{why} {COUNTED}"]
    assert "## Findings" not in report(state)
    assert report(state).count(why) == 1


def test_another_figure_goes_with_the_answer_that_it_stands_beside() -> None:
    state = told(COUNTED)
    assert quoted(state)
    spans = {s.id for b in state.draft.blocks if b.id.startswith("q1.beside.") for s in b.spans}
    later = state.model_copy(update={"version": 2})
    _, after = drained(give_up(later, state.facts[0], NUMBERS, "Nothing is left."))
    assert quoted(after) == []
    assert spans <= set(after.revisions[-1].reopened)


def test_an_answer_that_gives_way_leaves_only_the_sentence_that_the_new_one_rests_on() -> None:
    state = told(COUNTED, "Visitors of Fenn saw 5,200 orchids.")
    assert len(quoted(state)) == 2
    other = next(h for h in state.graph.answers("q1") if h.text == "3,900")
    later = state.model_copy(update={"version": 2})
    _, after = drained(put_answer(later, state.facts[0], other, "ban"))
    assert after.draft.span("q1.answer").text == "3,900"
    assert quoted(after) == [COUNTED]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("61.4 million euros", "61 million euros", True),
        ("1,093,000", "1,100,000", True),
        ("312", "313", False),
        ("8,848", "8,849", False),
        ("1,093,000", "1,118,400", False),
        ("10", "12", False),
        ("9.8 m²", "10 m²", False),  # a raised figure is of the unit, and once ended the run
        ("120 m²", "120 m2", True),
    ],
)
def test_round_numbers(one: str, other: str, same: bool) -> None:
    ours, theirs = single(one), single(other)
    assert ours
    assert theirs
    assert beside.is_rounded(ours, theirs) is same
    assert beside.is_rounded(theirs, ours) is same
