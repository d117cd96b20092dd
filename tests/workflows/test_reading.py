"""Which questions are asked for one answer, and which statements tell only what was meant to be done."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from palimpsest.agent import asking
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.wording import LinearText
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.types import Hit, Passage, Source, Words
from palimpsest.workflows.calibration import report_weights
from palimpsest.workflows.corpus import open_embedder
from palimpsest.workflows.reading import SelectingReader


class Alike:
    """Every text has the same vector."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 1), dtype=np.float32)

    def words(self, texts: Sequence[str]) -> list[Words]:
        return HashEmbedder().words(texts)


def reader(openness: float) -> SelectingReader:
    """One that takes every question to ask for something else than a fact with this probability."""
    offsets = (math.log(1 - openness), math.log(openness))
    kinds = LinearText(labels=("fact", "survey"), offsets=offsets, weights=((0,) * 8,) * 2)
    return SelectingReader(Alike(), report_weights().model_copy(update={"kinds": kinds}))


def asked(question: str, openness: float = 0.6) -> list[str]:
    return [q.asked for q in reader(openness).plan(question) if not q.is_open]


def test_what_asks_for_several_things_is_not_answered_by_one() -> None:
    assert asked("Which weirs let barges pass?") == []
    assert asked("Which weir lets barges pass?") == ["Which weir lets barges pass?"]
    assert asked("Which weirs let barges pass, and who built them?") == []  # the second rests on the first
    assert asked("Which weirs let barges pass, and who built the dam?") == ["Who built the dam?"]
    assert asked("Which weirs let barges pass?", openness=0.1) == ["Which weirs let barges pass?"]  # surely a fact


def test_each_part_of_a_question_is_a_fact_or_is_for_sections_by_itself() -> None:
    """Nothing of "who made it, when, and how does it work" was answered, because its last part asks for sections."""
    reader = SelectingReader(open_embedder(), report_weights())
    plan = reader.plan("Who designed the Orta lock, when was it opened, and how does it work?")
    facts = [(q.asked, q.tentative) for q in plan if not q.is_open]
    assert facts == [("Who designed the Orta lock?", False), ("When was the Orta lock opened?", False)]
    assert [q.form for q in plan if q.is_open] == ["open"]
    assert len({q.id for q in plan}) == len(plan)
    polar = reader.plan("Was the lock designed by Canale, and how does it work?")
    assert all(q.is_open for q in polar)


@pytest.mark.parametrize(
    "question",
    [
        "What did the new lock mean for the bargemen?",
        "What has the salt tax meant for the inns of Orta?",
        "What came out of the trial with two gates?",
        "What lies behind the fall in tolls?",
        "What are the lessons of the spring flood?",
        "What caused the canal to leak?",
        "What caused the delay of the ferry?",
        "What drove the price up?",
    ],
)
def test_what_came_of_a_thing_and_what_is_behind_it_is_told_in_sections(question: str) -> None:
    """By the shipped classifier, though the slot is sure: what a change meant for people was answered with half a sentence."""
    sure = dict.fromkeys(asking.KINDS, 0.0) | {"fact": 1.0}
    plan = SelectingReader(open_embedder(), report_weights(), lambda clause: sure).plan(question)
    assert any(q.is_open for q in plan)
    assert all(q.is_open or q.tentative for q in plan)


@pytest.mark.parametrize(
    "question",
    [
        "What does the name Selm mean?",
        "Who brought the bells to Orta?",
        "Which abbot closed the inn?",
        "What did the millers call the upper weir?",
    ],
)
def test_what_is_worded_near_to_them_and_asks_for_a_name_is_a_fact(question: str) -> None:
    reader = SelectingReader(open_embedder(), report_weights())
    assert [q.tentative for q in reader.plan(question)] == [False]


@pytest.mark.parametrize(
    "question",
    [
        "What are the arguments for closing harbours and which against a closure?",  # open both
        "Which reasons are given for closing old canals and which against a closure?",  # asks for several things
        "How do locks save water and at what cost in time?",
    ],
)
def test_a_part_without_a_verb_goes_on_with_the_one_ahead_of_it(question: str) -> None:
    """ "Which against a ban?" once had an answer of a few words ahead of the report."""
    reader = SelectingReader(open_embedder(), report_weights())
    assert [q.text for q in reader.plan(question) if not q.is_open] == []
    assert len(asked("Which weir lets barges pass and at what toll?", openness=0.1)) == 2


def quoted(*texts: str, title: str = "Note") -> list[Chosen]:
    """The sentences of one source, each a quotation."""
    source = Source(id=title, uri=f"note:{title}", title=title, sha256="0" * 64)
    whole = " ".join(texts)
    starts = [whole.index(text) for text in texts]
    places = tuple((start, start + len(text)) for start, text in zip(starts, texts, strict=True))
    held = Passage(id=f"{title}-0", text=whole, source=source, start=0, end=len(whole), sentences=places)
    return [Chosen((Sentence(held, start, end, 1),), 0.0) for start, end in places]


def aims(*texts: str) -> list[bool]:
    chosen = quoted(*texts)
    return reader(0.6).aims(chosen, [chosen[0].sentences[0].passage])


TRIAL = (
    "Background: Salt is often given to patients with a low blood pressure.",
    "We randomised 546 patients to receive either salt or placebo for 24 weeks.",
    "The primary endpoint was the change from baseline in blood pressure at week 24.",
    "Salt significantly increased blood pressure compared with placebo (P < 0.001).",
    "Conclusions: salt is safe and effective in patients with a low blood pressure.",
)


def test_only_what_asks_whether_something_is_so_is_weighed_for_and_against() -> None:
    """ "How fair is BBR?" was answered by "two sources read in support"."""
    reader = SelectingReader(open_embedder(), report_weights())

    def form(question: str) -> str:
        return next(q.form for q in reader.plan(question) if q.is_open)

    assert (
        form("Is batch normalization always helpful? Where has it been found to help and where to harm?") == "balance"
    )
    assert form("Does telemonitoring or telephone follow-up improve outcomes of chronic disease?") == "balance"
    assert form("How fair is BBR congestion control, and which alternatives do better on wireless links?") == "open"
    assert form("What are the main arguments for and against abolishing the death penalty?") == "open"


def test_an_aim_is_told_from_a_finding() -> None:
    """Of a study what was done is none either; of any other text only what it says of itself can be an aim."""
    said = ["This study aimed to weigh the salt of two mines.", "The salt of both mines was equally heavy."]
    assert aims(*said) == [True, False]
    assert reader(0.6).aims([], []) == []
    assert aims(*TRIAL)[1:] == [True, True, False, False]
    assert aims(TRIAL[2]) == [False]  # nobody knows that it is of a study
    assert aims("Many of the old mills have been destroyed by people in the last century.") == [False]


def test_a_comparison_has_no_one_answer() -> None:
    """By the shipped classifier: an answer above the table would be one thing's."""
    reader = SelectingReader(open_embedder(), report_weights())
    (whole,) = reader.plan("Compare Krakatoa, Santorini and Lake Toba: size of the eruption, date and consequences.")
    assert whole.form == "comparison"
    assert any(not q.is_open for q in reader.plan("Which is older, the Krakatoa tower or the Toba tower?"))


@pytest.mark.parametrize(
    "asked", ["What was the function of the agora in Athens?", "What was the role of the church in medieval Europe?"]
)
def test_what_part_a_thing_played_is_no_short_fact(asked: str) -> None:
    """By the shipped classifier: in wording near to questions for names, and answered by sentences."""
    reader = SelectingReader(open_embedder(), report_weights())
    assert any(q.is_open for q in reader.plan(asked))
    assert not any(q.is_open for q in reader.plan("Who commissioned the agora in Athens?"))


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("When was the mill of Ardo opened, and how does it grind?", "How does the mill of Ardo grind?"),
        ("How do the mills of Ardo grind, and why were they built?", ""),  # no part has an answer of its own
        ("Which mill is the oldest, and how did that view change?", ""),  # what is left rests on the answer
        ("When was the mill of Ardo opened?", ""),
    ],
)
def test_what_is_left_to_an_open_question_beside_facts(question: str, left: str) -> None:
    planned = SelectingReader(open_embedder(), report_weights()).plan(question)
    assert [q.remainder for q in planned if q.is_open] == ([left] if len(planned) > 1 or planned[0].is_open else [])


def test_of_two_sentences_as_near_the_one_that_tells_what_was_found_is_chosen() -> None:
    """What a study set out to do says the question again, and answers nothing; alone it stands all the same."""
    aim = "Here we aim to determine whether buoys reduce the drift of barges in a channel."
    finding = "Here we found that buoys significantly reduced the drift of barges in a channel."
    reading = SelectingReader(Alike(), report_weights())

    def scores(*texts: str) -> dict[str, float]:
        text = " ".join(texts)
        starts = [text.index(t) for t in texts]
        source = Source(id="s", uri="note:s", title="Buoys", sha256="s" * 64)
        places = tuple((start, start + len(t)) for start, t in zip(starts, texts, strict=True))
        held = Passage(id="s-0", source=source, text=text, start=0, end=len(text), sentences=places)
        found = reading._scored("Do buoys reduce the drift of barges?", [Hit(passage=held, score=1.0, rank=1)])
        return {s.sentence.text: s.score for s in found}

    both = scores(finding, aim)
    assert both[finding] - both[aim] > 2.0
    assert reading._unlikely([Sentence(p, *p.sentences[0], 1) for p in [quoted(finding)[0].sentences[0].passage]]) == [
        0
    ]


def test_no_cell_asks_or_is_a_title() -> None:
    """ "Seaweed for cows - does it live up to the headlines?" stood in a table, and the trial's figures nowhere."""
    lines = ("Does Marisa carry salt?", "Marisa, salt and speed", "Marisa carries 30 tons of salt.")
    text = " ".join(lines)
    ends = [sum(len(line) + 1 for line in lines[: n + 1]) - 1 for n in range(len(lines))]
    places = tuple((end - len(line), end) for line, end in zip(lines, ends, strict=True))
    source = Source(id="s", uri="note:s", title="Boats", sha256="0" * 64)
    held = Passage(id="s-0", text=text, source=source, start=0, end=len(text), sentences=places)
    reading = SelectingReader(Alike(), report_weights())
    found = reading.cells(["Marisa"], ["salt", "speed", "price"], [Hit(passage=held, score=1.0, rank=1)])
    assert [c.text for c in found.values()] == [lines[2]]
