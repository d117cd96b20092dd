"""What an answer is believed for is fitted on answers that are right and wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from palimpsest.agent.numbers import Numbers
from palimpsest.workflows.calibration import numbers_of
from palimpsest.workflows.evaluation import fit_belief
from palimpsest.workflows.evaluation.fit_belief import FITTED, Asked


def made(count: int, seed: int) -> list[Asked]:
    """Three answers a question: the one that stands nearest is right, whatever the model says of it."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        table = draw.normal(size=(3, len(FITTED)))
        found.append(Asked(table, (table[:, 2] == table[:, 2].max()).astype(float)))
    return found


def test_the_weight_is_on_what_tells_right_from_wrong() -> None:
    found = made(60, 0)
    weights, prior = fit_belief.fit(found)
    assert FITTED[int(np.abs(weights).argmax())] == "behind"
    assert weights[2] > 4 * np.abs(np.delete(weights, 2)).max()
    assert prior < 0
    said, right, first = fit_belief.by_folds([*found, Asked(np.zeros((0, 5)), np.zeros(0))])
    assert first > 50
    assert right <= said <= 61


def test_what_was_not_fitted_keeps_its_proportion_to_a_reading() -> None:
    old = Numbers(reading=0.5, agreement=0.2, margin=0.4, established=0.15, fitted_on="by hand")
    found = fit_belief.numbers(old, np.array([1.0, 2.0, 3.0, 0.3, 1.1]), -1.5, "here")
    assert (found.reading, found.holds, found.behind, found.suits, found.foreign) == (1.0, 2.0, 3.0, 0.3, 1.1)
    assert (found.agreement, found.margin, found.prior, found.established) == (0.4, 0.8, -1.5, 0.15)
    assert found.fitted_on == "here; by hand"


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("£342", True),
        ("a cost of £342", True),
        ("342 of the 600 pots, all of them glazed in May", False),
        ("£34", False),
        ("", False),
    ],
)
def test_an_answer_may_say_little_more(text: str, is_said: bool) -> None:
    assert fit_belief.says(text, ["£342"]) is is_said
    assert not fit_belief.says(text, [])


def test_answers_that_were_read_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "kiln.txt").write_text(
        "The kiln of Orta\n\nThe kiln of Orta was built by Pietro Canale in 1911. It holds 340 pots.\n",
        encoding="utf-8",
    )
    lines = [{"folder": str(tmp_path), "question": "Who built the kiln of Orta?", "answers": ["Pietro Canale"]}]
    (found,) = fit_belief.of_facts(json.loads(json.dumps(lines)), numbers_of("embedded"))
    assert found.table.shape[1] == len(FITTED)
    assert found.right.sum() == 1
