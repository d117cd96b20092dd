"""Kinds of answers by what is asked: titles are held out, names always fit, and the number loses as many as it says."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from palimpsest.agent.answer_kinds import AMOUNT, PERSON, PLACE, THING
from palimpsest.workflows.calibration import answer_kinds
from palimpsest.workflows.evaluation import fit_answers


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who built it?", PERSON), ("To whom is it sold?", PERSON), ("Where is it?", PLACE), ("When did it close?", AMOUNT),
        ("How many barges are there?", AMOUNT), ("What year was it?", AMOUNT), ("Which mill is it?", THING), ("Why did it close?", ""),
    ],
)  # fmt: skip
def test_the_kind_is_told_by_the_question(question: str, kind: str) -> None:
    assert fit_answers.kind_of(question) == kind


def test_titles_are_held_out_whole_and_few_of_a_kind_are_taken() -> None:
    rows = [
        {"title": f"T{n % 10}", "question": "Who built it?", "answers": [{"text": f"the miller {n}"}]}
        for n in range(100)
    ] + [{"title": "T1", "question": "Who?", "answers": []}]
    found = fit_answers.answers(rows, 30, seed=0)
    assert sum(not answer.is_held for answer in found) == 30
    held = {answer.text for answer in found if answer.is_held}
    assert len(held) == 20
    assert len({int(text.split()[-1]) % 10 for text in held}) == 2


def test_the_least_loses_a_share_of_all_named_ones_among_them() -> None:
    shares = [n / 100 for n in range(100)]
    assert fit_answers.least(shares, 0) == pytest.approx(0.01)
    assert fit_answers.least(shares, 900) == pytest.approx(0.15)
    assert sum(share < fit_answers.least(shares, 900) for share in shares) == fit_answers.LOST * 1000


def test_what_a_question_asks_for_is_told_by_its_answer_where_its_first_words_tell_nothing() -> None:
    said = {
        "What is its size?": "40 acres",
        "What is its name?": "Orta",
        "What holds it?": "a wall of 40 stones",
        "How many are there?": "40",
        "Who built it?": "40 men",
    }
    rows = [{"title": f"T{n}", "question": q, "answers": [{"text": a}]} for n, (q, a) in enumerate(said.items())]
    found = {q.text: (q.kind, q.holds) for q in fit_answers.questions(rows, seed=0)}
    assert found == {
        "what is its size?": (AMOUNT, True),
        "what is its name?": (THING, False),
        "what holds it?": ("", True),  # neither fitted as one nor as the other
    }


def test_the_fit_measures_what_it_loses_and_finds() -> None:
    made = {PERSON: "crew", PLACE: "harbour", AMOUNT: "seven", THING: "oak"}
    found = [fit_answers.Answer(f"{word} {n}", kind, n % 2 == 0) for kind, word in made.items() for n in range(40)]

    def embed(texts: list[str]) -> np.ndarray:
        return np.array([[float(word in text) for word in made.values()] for text in texts], dtype=np.float32)

    asking = [
        fit_answers.Question(f"what is the {word} {n}?", kind, word == "size", n % 2 == 0)
        for word, kind in (("size", AMOUNT), ("name", THING))
        for n in range(40)
    ]
    measuring = [
        fit_answers.Answer(f"what is the {word} {n}?", kind, n % 2 == 0)
        for word, kind in (("size", "money"), ("name", "no figure"))
        for n in range(40)
    ]
    fitted = fit_answers.fit(found, asking, measuring, embed)
    assert set(fitted.measures.labels) == {"money", "no figure"}
    assert fitted.measured["amount_asks_amount"] == 1
    assert fitted.measured["thing_asks_amount"] <= fit_answers.LOST + 0.05  # one of 20
    assert fitted.measured["person_is_no_person"] == fitted.measured["place_is_no_place"] == 0
    assert fitted.measured["amount_is_no_person"] == fitted.measured["thing_is_no_place"] == 1


def test_the_shipped_weights_are_those_that_were_measured() -> None:
    digest = hashlib.sha256(answer_kinds().model_dump_json().encode()).hexdigest()
    assert digest == "d815db3a3d1a1081416b110e01391182898f030f0ff62bebfbeb1749be92f88b"


def test_what_kind_of_figure_is_asked_for_is_told_by_the_answer_where_it_stands() -> None:
    context = "The kiln cost 900 euros and holds 340 pots. Ada Lorne owns it."
    asked = [("how much", "900 euros"), ("how many", "340"), ("who is it", "Ada Lorne"), ("what else", "gone")]
    rows = [
        {"title": str(n), "question": f"{words} then?", "context": context, "answers": [{"text": text}]}
        for n, (words, text) in enumerate(asked)
    ]
    found = fit_answers.measures(rows, 0)
    assert {a.text[:8]: a.kind for a in found} == {"how much": "money", "how many": "count", "who is i": "no figure"}
