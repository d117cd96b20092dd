"""What a report says that nothing quoted speaks of."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from palimpsest.agent import (
    missing,
)
from palimpsest.agent.state import ResearchState, SubQuestion, Tools

from .lake import (
    CREW,
    QUESTION,
    SALT,
    WIND,
    TopicReader,
    run,
)
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report


def test_what_nothing_speaks_of_is_named_with_the_searches() -> None:
    state = run(TopicReader(things=("salt", "Zanzibar")), SALT, WIND, CREW)
    shown = report(state)
    assert "Zanzibar: no source that was found says anything of it" in shown
    assert missing._is_spoken_of(
        "toll removal", SubQuestion(id="q1", text="", asked=""), ["The toll was removed in May."]
    )
    assert not missing._is_spoken_of(
        "toll removal", SubQuestion(id="q1", text="", asked=""), ["A toll.", "It was removed."]
    )
    assert not missing._is_spoken_of(
        "Toll Removal", SubQuestion(id="q1", text="", asked=""), ["The toll was removed in May."]
    )
    assert (
        f"searched: {QUESTION}; salt: the same question; Zanzibar: the same question"
        in shown.split("## Not established")[1]
    )


def test_a_question_that_ends_with_a_full_stop_is_named_with_one() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, TopicReader(things=("Zanzibar",)))
    shown = report(finish(ResearchState(question="Say what shapes the trade on the lake."), tools)[1])
    assert "searched: Say what shapes the trade on the lake." in shown
    assert ".." not in shown.split("## Not established")[1].split("## ")[0]


def test_of_a_thing_that_nothing_speaks_of_no_cell_is_named_as_well() -> None:
    reader = TopicReader(things=("salt", "Zanzibar"), form="comparison", attributes=("lake", "price"))
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, reader)
    events, state = finish(ResearchState(question=QUESTION), tools)
    said = [e.text for e in events if e.kind == "unestablished"]
    assert [line.partition(" that was ")[0] for line in said if "Zanzibar: no " in line] == ["Zanzibar: no source"]
    assert "salt: no sentence was surely read on “Price”" in report(state)


def test_a_list_says_that_it_may_not_be_whole_and_a_plan_that_it_has_no_result() -> None:
    plan = passage("A study of salt cargo on the lake trade is planned.", "The salt study", "2026")
    assert "No list was read surely enough; what is quoted may be incomplete" in report(
        run(TopicReader(form="list"), SALT, WIND, CREW)
    )
    assert "“The salt study” (2026) describes a study" in report(run(TopicReader(form="balance"), SALT, WIND, plan))


def test_a_part_of_the_question_that_nothing_speaks_of_is_named() -> None:
    plan = SubQuestion(
        id="q1", text="What shapes salt on the lake, and what brings monsoon rain?", asked="?", form="open"
    )

    class Parts(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [plan]

    shown = report(run(Parts(), SALT, WIND, CREW))
    assert "Of the question's words, nothing quoted here uses “monsoon rain”" in shown
    assert "“shapes salt on the lake”" not in shown


@pytest.mark.parametrize(
    ("piece", "is_named"),
    [
        ("monsoon rain", True),
        ("deep salt mines", True),
        ("salt mines", False),
        ("wrecks", True),
        ("the understanding of wrecks", False),
        ("understanding", False),
        ("sailors", False),
        ("should it change", False),
        ("explain them", False),
    ],
)
def test_only_a_thing_is_named_as_missing_and_only_where_no_form_of_its_words_is_quoted(
    piece: str, is_named: bool
) -> None:
    class Parts(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [SubQuestion(id="q1", text=f"What of the lake, {piece}?", asked="?", form="open")]

    shown = report(
        run(Parts(), SALT, WIND, passage("Every crew has a sailor of the lake. The crew sleeps on board.", "Crew"))
    )
    assert (f"nothing quoted here uses “{piece}”" in shown) is is_named


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ([("antibiotics", "gut bacteria")], "“antibiotics”, “gut bacteria”; searched"),
        ([("lake", "gut bacteria")], ""),  # the lake is quoted
        ([("antibiotics",), ("antibiotics", "benefits")], "“antibiotics”; searched"),  # it is what the two are about
    ],
)
def test_two_names_of_which_each_says_the_other_are_missing_together(about: list[tuple[str, ...]], named: str) -> None:
    class Parts(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            text = "What of the lake, antibiotics, gut bacteria and the benefits?"
            return [SubQuestion(id="q1", text=text, asked="?", form="open")]

        def is_topic(self, question: str, *names: str) -> bool:
            return names in about

    line = report(run(Parts(), SALT, WIND)).partition("nothing quoted here uses ")[2]
    assert line.startswith(named)
    assert bool(line) is bool(named)


def test_what_most_sources_that_were_read_are_about_is_not_missing() -> None:
    """ "Nothing quoted here uses “museum”" once stood in a report on the notes of a museum."""

    class Museum(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [SubQuestion(id="q1", text="What of the lake and the museum?", asked="?", form="open")]

    def is_named(count: int) -> bool:
        kept = [f"Salt cargo {n} pays on the lake.{' A museum keeps it.' * (n < count)}" for n in range(4)]
        reader = Museum(unwanted="museum")
        return "nothing quoted here uses “museum”" in report(run(reader, *(passage(t, f"Note {t[11]}") for t in kept)))

    assert is_named(1)
    assert not is_named(2)


def test_a_question_that_nothing_answers_says_so() -> None:
    state = run(TopicReader(), passage("Bread rises.", "Kitchen"))
    assert "Nothing that was found answers this; searched:" in report(state)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What do barges do to eels?", True),
        ("What eels are in the lake?", False),
        ("What are the eels of the lake?", False),
        ("What do barges do to salt?", False),
    ],
)
def test_what_all_that_is_quoted_leaves_out_is_missing(question: str, named: bool) -> None:
    """Not what the question asks for, and not what is quoted; its own name need not change what the question is about."""

    class Apart(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return "eels" not in words

        def is_topic(self, question: str, *names: str) -> bool:
            return False

        def is_apart(self, question: str, name: str, texts: Sequence[str]) -> bool:
            return name in ("eels", "salt")

    asked = SubQuestion(id="q1", text=question, asked=question, form="open")
    assert (missing._uncovered(Apart(), asked, [SALT.text, WIND.text], [SALT, WIND]) == ["eels"]) == named
