"""What is asked: names found in the question's own words, a kind believed only where the classifier is sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from palimpsest.agent.asking import (
    MAX_PARTS,
    asked,
    asks_for_change,
    asks_several,
    attributes,
    by_wording,
    coordinations,
    of_each,
    parts,
    plain_question,
    what_changed,
)
from palimpsest.agent.wording import LinearText, buckets, words


def sure(kind: str, probability: float = 0.9) -> Callable[[str], Mapping[str, float]]:
    return lambda question: {kind: probability, "fact" if kind != "fact" else "how": 1 - probability}


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("What is the difference between how Alder and how Birch decode?", ["Alder", "Birch"]),
        ("Compare Alder-8B, Birch 7B and dCedar as base models", ["Alder-8B", "Birch 7B", "dCedar"]),
        ("Compare Alder and Birch", ["Alder", "Birch"]),
        ("How do models A, B and C compare on price?", ["model A", "model B", "model C"]),
        ("Compare routes 1 and 12 by length", ["route 1", "route 12"]),
        ("Compare the companies A and B.", ["company A", "company B"]),
        ("Alder or birch: which lasts longer?", ["Alder", "birch"]),
        ("Rail transport versus inland shipping: what costs less?", ["Rail transport", "inland shipping"]),
        ("What is the difference between proto-stars and stars?", ["proto-stars", "stars"]),
        ("Compare remote (letter or telegraph) and spoken orders for cost", ["remote", "spoken orders"]),
        ("Compare carbon (CO2) capture and wind power by cost", ["carbon capture", "wind power"]),
        ("Compare bottles and can recycling in cost", ["bottles", "recycling"]),
    ],
)
def test_the_things_that_are_compared_are_named(question: str, things: list[str]) -> None:
    assert list(asked(question, sure("compare")).things) == things


def test_what_occurs_in_the_evidence_bounds_a_name() -> None:
    held = {"nicotine gum", "bupropion", "varenicline"}
    question = "How do nicotine gum, bupropion and varenicline compare for stopping?"
    assert asked(question, sure("compare"), held.__contains__).things == ("nicotine gum", "bupropion", "varenicline")
    assert asked(question, sure("compare"), lambda name: name == "bupropion").kind == "open"


def test_the_things_come_first_and_then_what_is_asked_of_them() -> None:
    found = asked("Compare Alder and Birch: weight, hardness and price.", sure("compare"))
    assert found.things == ("Alder", "Birch")
    assert found.attributes == ("weight", "hardness", "price")


def test_what_is_asked_of_things_told_apart_by_letters_stands_behind_the_last_letter() -> None:
    assert asked("How do models A, B and C compare on price and size?", sure("compare")).attributes == ("price", "size")


def test_what_is_asked_of_things_is_named_without_the_verb_behind_it() -> None:
    found = asked(
        "Compare Alder and Birch: what weight does each have, how hard is it and on what soil.", sure("compare")
    )
    assert found.attributes == ("weight", "hard", "soil")


def test_names_are_places_in_the_question() -> None:
    question = "How do Alder, Birch and Cedar differ?"
    (group,) = coordinations(question)
    assert [t.text for t in group] == ["Alder", "Birch", "Cedar"]
    assert [question[t.start : t.end] for t in group] == ["Alder", "Birch", "Cedar"]


@pytest.mark.parametrize("question", ["Who built the pier?", "And?", "or", "", "What is known about piers, and?"])
def test_where_nothing_is_joined_nothing_is_named(question: str) -> None:
    assert coordinations(question) == []


def test_an_unsure_kind_is_open_and_a_comparison_of_one_thing_too() -> None:
    assert asked("Who built the pier?", sure("fact")).kind == "fact"
    assert asked("Is the pier open?", sure("polar")).kind == "yes-no"
    assert asked("Should the pier be rebuilt?", sure("debate")).kind == "effect"
    unsure = {"fact": 0.4, "polar": 0.3, "how": 0.3}
    assert asked("Who built the pier?", lambda q: unsure).kind == "open"
    assert asked("Compare piers", sure("compare")).kind == "open"


def test_what_says_that_it_compares_need_not_be_sure() -> None:
    """ "Compare the Orta Canal and the Selm Canal." was once answered with half a sentence."""
    unsure = {"compare": 0.43, "polar": 0.32, "fact": 0.25}
    found = asked("Compare the Orta Canal and the Selm Canal.", lambda q: unsure)
    assert (found.kind, found.things) == ("comparison", ("Orta Canal", "Selm Canal"))
    assert asked("Did the Orta Canal and the Selm Canal pay?", lambda q: unsure).kind == "open"
    assert asked("Compare the Orta Canal and the Selm Canal.", lambda q: {**unsure, "fact": 0.5}).kind == "fact"


def test_a_fact_names_no_things_and_keeps_its_scope() -> None:
    found = asked("How long did Alder and Birch stand as of 2019?", sure("fact"))
    assert (found.things, found.attributes, found.scope) == ((), (), ("2019",))


def test_parts_are_bounded_and_one_sentence_stays_whole() -> None:
    assert parts("Who built it, and when was it opened?") == ["Who built it, and when was it opened?"]
    assert parts("Is it old? Who built it?") == ["Is it old?", "Who built it?"]
    many = " ".join(f"Is it {n}?" for n in range(50))
    assert len(parts(many)) == MAX_PARTS
    assert " ".join(parts(many)) == many


def test_the_wording_classifier_reads_words_and_their_neighbours() -> None:
    rows = [[0] * 64, [0] * 64]
    for bucket in buckets("why", 64):
        rows[1][bucket] = 900
    model = LinearText(labels=("fact", "reason"), offsets=(0.0, 0.0), weights=tuple(map(tuple, rows)))
    classify = by_wording(model)
    assert classify("Why did the pier fall?")["reason"] > 0.9
    assert sum(classify("Who built the pier?").values()) == pytest.approx(1)
    assert words("In 2019, 30 % fell.") == ["in", "0", "0", "%", "fell"]
    assert plain_question("Who built IT.") == "who built it?"
    assert model.probabilities([]).shape == (0, 2)
    assert model.log_odds(["why"], "reason")[0] > 2 > 0 > model.log_odds(["why"], "fact")[0]


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which weirs let barges pass?", True),
        ("What are the tolls of Orta?", True),
        ("In which years was the mill flooded?", True),
        ("Which old and new mills are open?", True),
        ("Which of the weirs is oldest?", False),
        ("What kind of salt is sold?", False),
        ("What is the toll?", False),
        ("Which engine serves the most mills?", False),
        ("What causes floods?", False),
        ("Who are the millers?", False),
        ("Why?", False),
        ("Which?", False),
    ],
)
def test_a_plural_behind_which_or_what_asks_for_several(question: str, several: bool) -> None:
    assert asks_several(question) is several


def test_what_stands_behind_by_is_what_things_are_compared_by() -> None:
    found = asked(
        "Compare gels and swabs for cleaning acrylic paintings by dirt removal, residue and price.", sure("compare")
    )
    assert found.attributes == ("dirt removal", "residue", "price")


@pytest.mark.parametrize(
    ("question", "is_asked"),
    [
        ("How has the toll changed since 2005?", True),
        ("What has changed from Alder 1 to Alder 2?", True),
        ("Which toll is dearest, and how did that judgement change?", True),
        ("How did the trade evolve from barges to rail, and why?", True),
        ("How do tolls change the price of salt?", False),
        ("What did the toll cost, and which barges changed hands?", False),
        ("Who changed the toll?", False),
        ("How did catches on the lake rise between 2005 and 2010?", True),
        ("How has the mill developed?", True),
        ("How did the millers develop the new stone?", False),
        ("What did the change to steam mean for the crews?", False),
        ("How did the fall of the tower hurt the trade?", False),
    ],
)
def test_a_question_may_ask_how_something_changed(question: str, is_asked: bool) -> None:
    assert asks_for_change(question) is is_asked


def test_a_question_behind_and_joins_no_names() -> None:
    """ "2015" and "published figures" were compared, and the report on waiting times held next to nothing."""
    joined = "How have waits changed since 2015, and why do the published figures differ?"
    assert asked(joined, sure("compare")).kind == "open"
    assert coordinations("Was the mill old, and is brick dear?") == []
    assert [t.text for t in coordinations("How does Alder and how Birch decode?")[0]] == ["Alder", "Birch"]


@pytest.mark.parametrize(
    ("question", "topics"),
    [
        ("How do seed drills and parallel sowing speed up the harvest?", ["seed drills", "parallel sowing"]),
        ("How does rain affect sowing, weeding and harvesting?", ["sowing", "weeding", "harvesting"]),
        ("How can barges and rail work together?", ["barges", "rail"]),
        ("How do salt and grain shape the trade?", ["salt", "grain"]),
    ],
)
def test_a_question_with_an_auxiliary_has_a_verb(question: str, topics: list[str]) -> None:
    """The tagger takes "speed" and "affect" for nouns there, and topics were called "parallel sowing speed up the"."""
    assert list(of_each(question)) == topics


def test_what_stands_in_brackets_is_neither_compared_nor_an_attribute() -> None:
    """The letter and the telegraph were compared by ")" and "spoken orders for cost"."""
    found = asked(
        "Compare remote (letter or telegraph) and spoken orders for cost (in crowns), haste and trust.", sure("compare")
    )
    assert (found.things, found.attributes) == (("remote", "spoken orders"), ("cost", "haste", "trust"))
    topics = of_each("What is known of salt (white or grey) for cheese (hard), bread and wine?")
    assert list(topics) == ["cheese", "bread", "wine"]


def test_what_things_are_compared_as_is_no_attribute() -> None:
    assert asked("Compare Alder and Birch as timber for boats", sure("compare")).attributes == ()


def test_words_right_behind_the_last_thing_are_none_of_its_attributes() -> None:
    """ "room" was once what the Great hall and the Blue room were compared by."""
    question = "Compare the Great hall and the Blue room by price and seats."
    things = coordinations(question)[0]
    assert [t.text for t in things] == ["Great", "Blue"]
    assert attributes(question, things) == ("price", "seats")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is known about ferries for freight, commuting and day trips?", ("freight", "commuting", "day trips")),
        ("What is known about frost for ploughing, grain and reaping?", ("ploughing", "grain", "reaping")),
        ("How does the tide affect fish, plankton and water quality?", ("fish", "plankton", "water quality")),
        ("How has the support for barges in Orta, Selm and Vire changed since 1990?", ("Orta", "Selm", "Vire")),
        ("How do barges carry salt, and what does a crew cost?", ()),  # joins clauses
        ("How are locks opened and closed?", ()),  # joins verbs
        ("What changed between 2019 and 2024?", ()),  # joins figures
        ("Why did the lake freeze?", ()),
    ],
)
def test_what_is_asked_about_side_by_side_is_named(question: str, named: tuple[str, ...]) -> None:
    assert tuple(of_each(question)) == named


def test_a_question_is_asked_of_each_topic_alone() -> None:
    assert of_each("How do tides affect fish, plankton and water quality in bays?") == {
        "fish": "How do tides affect fish in bays?",
        "plankton": "How do tides affect plankton in bays?",
        "water quality": "How do tides affect water quality in bays?",
    }
    assert of_each("Why did the lake freeze?") == {}


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Compare brick kilns, a tunnel kiln and an open clamp in fuel.", ["brick kilns", "tunnel kiln", "open clamp"]),
        ("How do the otter, a mink and the heron differ?", ["otter", "mink", "heron"]),
        ("Which is older, the mill or the barn?", ["mill", "barn"]),
    ],
)
def test_an_article_parts_no_names_of_a_list(question: str, names: list[str]) -> None:
    """Of "on-floor kilns, a tunnel kiln and …" the first was dropped: an article stood behind its comma."""
    assert [thing.text for thing in coordinations(question)[0]] == names


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("How has the use of the Selm ferry changed since 2021?", "the use of the selm ferry"),
        ("Why is it dear, and how did the toll evolve?", "the toll"),
        ("What has changed since 2021?", ""),
        ("What does the ferry change?", ""),
    ],
)
def test_what_changed_stands_ahead_of_the_verb(question: str, subject: str) -> None:
    assert what_changed(question) == subject
