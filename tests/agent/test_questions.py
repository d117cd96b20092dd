from __future__ import annotations

import pytest

from palimpsest.agent.questions import alternatives, asked_kind, resolved, subquestions


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who designed the Eiffel Tower?", [("Who designed the Eiffel Tower?", "TEXT", ())]),
        (
            "What is the fastest barge, and how many knots does it reach?",
            [("What is the fastest barge?", "TEXT", ()), ("How many knots does {q1} reach?", "NUMBER", ("q1",))],
        ),
        ("What is A? And where is B?", [("What is A?", "TEXT", ()), ("Where is B?", "TEXT", ())]),
        ("rock and roll history", [("Rock and roll history?", "TEXT", ())]),
        (
            "Which firm built it and what is its age?",
            [("Which firm built it?", "TEXT", ()), ("What is {q1}'s age?", "TEXT", ("q1",))],
        ),
    ],
)
def test_subquestions(question: str, expected: list) -> None:
    assert [(q.text, q.kind, q.depends_on) for q in subquestions(question)] == expected


def test_the_first_question_word_decides_the_kind() -> None:
    """ "Where was he headed when he died" once asked for a figure, for the "when" in it."""
    assert asked_kind("Where was he headed when he died?") == "TEXT"
    assert asked_kind("In what year was the canal dug?") == "NUMBER"
    assert asked_kind("when was it dug") == "NUMBER"


def test_a_question_may_offer_a_choice() -> None:
    assert alternatives("Which film came first, Day of the Fight or Flying Padre?") == [
        "Day of the Fight",
        "Flying Padre",
    ]
    assert alternatives("Who dug the canal?") == []


@pytest.mark.parametrize(
    ("question", "second"),
    [
        ("Who built the Marisa, and when was it launched?", "When was the Marisa launched?"),
        ("Who built the Marisa, and where did he live?", "Where did {q1} live?"),
        ("When did Pietro Canale die, and which island did he rule?", "Which island did Pietro Canale rule?"),
        ("Which firm makes LLaDA, and where is it based?", "Where is {q1} based?"),
        ("Who built the old mill, and when did it burn?", "When did the old mill burn?"),
        (
            "How long does the ferry from Kelso to Brandt take, and who built it?",
            "Who built the ferry from Kelso to Brandt?",
        ),
        ("Who designed the harbour bridge in Kelso, and how long is it?", "How long is the harbour bridge in Kelso?"),
        ("When was the mill built, what did it grind?", "What did the mill grind?"),
        ("Who won, and how long was it?", "How long was {q1}?"),
    ],
)
def test_what_a_pronoun_stands_for(question: str, second: str) -> None:
    """ "What island did 1203 rule?" was once asked, after "When did he die?"."""
    assert subquestions(question)[1].text == second


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        (
            "How does a barge moor at Orta, and how long does it take?",
            ["How does a barge moor at Orta?", "How long does it take a barge to moor at Orta?"],
        ),
        (
            "How is the cable laid, and how long does it take?",
            ["How is the cable laid?", "How long does it take the cable to be laid?"],
        ),
        (
            "How did Ada Lorne cross the Alps and how many days did it take?",
            ["How did Ada Lorne cross the Alps?", "How many days did it take Ada Lorne to cross the Alps?"],
        ),
        ("How do barges moor at Orta, and what does it cost?", None),
        ("Why do bees swarm in May? Is it dangerous?", ["Why do bees swarm in May, and is it dangerous?"]),
        (
            "How many knots does Marisa reach, and who built it?",
            ["How many knots does Marisa reach?", "Who built Marisa?"],
        ),
    ],
)
def test_it_behind_a_doing_is_the_doing_or_the_question_stays_whole(question: str, asked: list[str] | None) -> None:
    """ "How long does Orta take?" was once asked: a name that stands behind another thing is no "it"."""
    found = subquestions(question)
    assert [q.asked for q in found] == (asked or [question])
    assert all(not q.depends_on for q in found)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        (
            "Which engine is the fastest, how many tokens does it reach, and what makes engines fast?",
            ["Which engine is the fastest?", "How many tokens does {q1} reach?", "What makes engines fast?"],
        ),
        ("Who dug the canal, why was it closed?", ["Who dug the canal?", "Why was the canal closed?"]),
        ("In Paris, what is the tallest tower?", None),
        ("When it rains, how does the ferry dock?", None),
        ("How tall is it, how wide, how deep?", None),
        ("What happened in 1990, what in 1995?", None),
    ],
)
def test_questions_in_a_row_are_parted_at_their_commas(question: str, asked: list[str] | None) -> None:
    """Of "which is the fastest, how many tokens does it reach, and …" only the figure was answered, beside no name."""
    assert [q.text for q in subquestions(question)] == (asked or [question])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("When did the mill close, and why?", [("When did the mill close?", ()), ("Why did the mill close?", ())]),
        ("When and where was Ada Lovelace born?", ["When was Ada Lovelace born?", "Where was Ada Lovelace born?"]),
        (
            "When was the bridge built, by whom and why?",
            ["When was the bridge built?", "By whom was the bridge built?", "Why was the bridge built?"],
        ),
        (
            "Which barge won, and when was it built and why?",
            [("Which barge won?", ()), ("When was {q1} built?", ("q1",)), ("Why was {q1} built?", ("q1",))],
        ),
        (
            "What is SDAR and how is it?",
            [("What is SDAR?", ()), ("How is {q1}?", ("q1",))],
        ),  # it names what it asks about
        ("Why and how?", ["Why?", "How?"]),
    ],
)
def test_a_question_word_alone_asks_of_what_is_beside_it(question: str, expected: list) -> None:
    """ "Why?" was once searched for, and answered by nothing."""
    wanted = [row if isinstance(row, tuple) else (row, ()) for row in expected]
    assert [(q.text, q.depends_on) for q in subquestions(question)] == wanted


def test_a_dependent_question_waits_for_its_answer() -> None:
    second = subquestions("What is the fastest barge, and how many knots does it reach?")[1]
    assert resolved(second, {}) is None
    assert resolved(second, {"q1": "Marisa"}) == "How many knots does Marisa reach?"


@pytest.mark.parametrize("question", ["What does {x} mean?", "What is {} in Python?", "Who wrote {"])
def test_braces_in_a_question_are_just_text(question: str) -> None:
    """They were once filled in with the answers of other questions, and the run died."""
    assert resolved(subquestions(question)[0], {}) == question.rstrip("?") + "?"


def test_a_heading_keeps_the_pronoun_that_was_asked() -> None:
    """It once said "When did it write it?"."""
    found = [q.asked for q in subquestions("Who wrote the first program, and when did she write it?")]
    assert found == ["Who wrote the first program?", "When did she write it?"]
    assert subquestions("Who built the Marisa, and when was it launched?")[1].asked == "When was the Marisa launched?"


def test_what_only_goes_on_is_no_question_of_its_own() -> None:
    whole = "Which composer was known for his long lines and was included in the repertoire of Maria Callas?"
    assert [q.text for q in subquestions(whole)] == [whole]
    assert len(subquestions("Who built the pier and was it closed in 1990?")) == 2
    assert len(subquestions("Who built the pier, and did Livia Rossi own it?")) == 2


@pytest.mark.parametrize(
    ("question", "dates"),
    [
        ("As of 2020, who was the mayor and who was the treasurer?", ["2020", "2020"]),
        ("Who was the mayor, and who was the treasurer in 2020?", ["2020", "2020"]),
        ("Who was the mayor as of 2020, and who built the mill?", ["2020", ""]),
        ("Who was the mayor in 2019, and who was it in 2020?", ["2019", "2020"]),
        ("Who was the mayor as of 2020, and why?", ["2020", "2020"]),
    ],
)
def test_a_date_bounds_the_part_that_it_stands_in(question: str, dates: list[str]) -> None:
    """Who built the mill was once asked as of 2020, because the mayor was."""
    assert [q.as_of for q in subquestions(question)] == dates


@pytest.mark.parametrize("question", ["???", " , ;", "?"])
def test_marks_alone_are_one_question(question: str) -> None:
    """A run of "???" ended with an IndexError: there was nothing to plan."""
    (only,) = subquestions(question)
    assert only.depends_on == ()


def test_what_is_told_to_be_done_is_asked_without_its_full_stop() -> None:
    """ "Compare … the Selm Canal.?" once stood in the plan."""
    assert [q.text for q in subquestions("Name the weirs of Orta.")] == ["Name the weirs of Orta?"]
    assert [q.text for q in subquestions("Who founded Kesk Inc.?")] == ["Who founded Kesk Inc.?"]
