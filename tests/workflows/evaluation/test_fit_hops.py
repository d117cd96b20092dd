"""Answers of several hops are believed as often as they are right."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

from palimpsest.agent.numbers import Numbers, probability
from palimpsest.workflows.evaluation import fit_hops
from palimpsest.workflows.evaluation.fit_hops import Given


def line(question: str, gold: bool | None, complete: bool | None) -> str:
    paragraphs = [
        {"title": t, "sentences": [f"{t} is a lake. ", "It is deep."], "gold": gold} for t in ("Orta", "Como")
    ]
    row = {"question": question, "answer": "Orta", "source": "", "paragraphs": paragraphs, "gold_complete": complete}
    return json.dumps(row) + "\n"


def test_only_questions_that_training_leaves_out_are_asked_each_once(tmp_path: Path) -> None:
    rows = [
        line("trained", True, True),
        line("left out", None, None),
        line("left out", None, None),
        line("lacks", None, False),
    ]
    with gzip.open(tmp_path / "multihop_qa.jsonl.gz", "wt") as out:
        out.writelines(rows)
    (row,) = fit_hops.unmarked(tmp_path)
    assert row["question"] == "left out"
    assert [q.answers for q in fit_hops.questions([row])] == [("Orta",)]
    assert {d.source.title: d.text for d in fit_hops.documents([row, row])} == {
        "Orta": "Orta is a lake. It is deep.",
        "Como": "Como is a lake. It is deep.",
    }


def test_what_is_believed_too_much_is_turned_down_and_the_fit_named_once() -> None:
    given = [Given(2.0, n < 3) for n in range(10)] + [Given(-1.0, n < 2) for n in range(10)]
    found = fit_hops.turned(Numbers(fitted_on="by hand"), given, 30)
    assert found.hop_slope < 1
    assert found.hop_slope * 2.0 + found.hop_offset < 0
    again = fit_hops.turned(found, given, 40)
    assert (
        again.fitted_on == "by hand; hop_slope and hop_offset by fit_hops on 20 answers to 40 questions of multihop_qa"
    )


def given(belief: float, right: int, of: int) -> list[Given]:
    return [Given(belief, n < right) for n in range(of)]


def test_beliefs_that_say_too_much_are_drawn_in() -> None:
    """What is believed at 4 to 1 and at 1 to 4 is right in three of five cases and in two."""
    answers = given(math.log(4), 180, 300) + given(-math.log(4), 120, 300)
    slope, offset = fit_hops.fit(answers)
    assert probability(slope * math.log(4) + offset) == pytest.approx(0.6, abs=0.01)
    assert probability(-slope * math.log(4) + offset) == pytest.approx(0.4, abs=0.01)
    assert fit_hops.ece(answers) == pytest.approx(0.2)
    assert fit_hops.ece(answers, slope, offset) < 0.02


def test_beliefs_far_too_sure_are_drawn_in_too() -> None:
    """A whole step of Newton's led from such to a slope of 66."""
    answers = [*given(7.0, 4, 10), *given(4.0, 4, 10), *given(2.0, 4, 10), *given(-1.0, 4, 10)]
    slope, offset = fit_hops.fit(answers)
    assert all(probability(slope * g.belief + offset) == pytest.approx(0.4, abs=0.06) for g in answers)


def test_all_right_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="of 4 answers 4 are right"):
        fit_hops.fit(given(1.0, 4, 4))
