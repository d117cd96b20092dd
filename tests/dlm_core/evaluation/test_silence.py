"""How often questions of several passages are answered: the curve, its fit, and where the offset acts."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.denoisers.slot_calibration import Calibration
from palimpsest.dlm_core.evaluation import silence
from palimpsest.dlm_core.evaluation.silence import Case

from ..world import TEXT, sheet, small_denoiser

ODDS = [-1.05, -0.55, 0.5, 1.5]
CASES = [
    *[Case(odds, 0.0, True, True) for odds in ODDS],
    *[Case(odds - 0.4, 0.0, False, False) for odds in ODDS],
]


def test_an_answer_is_given_where_its_best_span_is_likelier_than_none() -> None:
    assert Case(0.1, 0.0, True, True).answers(0.0)
    assert not Case(0.1, math.log(0.5), True, True).answers(0.0)
    assert Case(0.1, math.log(0.5), True, True).answers(1.0)


def test_the_smaller_share_decides() -> None:
    assert silence.shares(CASES, 0.0) == (50.0, 50.0)
    assert silence.shares(CASES, 0.6) == (75.0, 50.0)
    assert silence.fit(CASES) == 0.0  # nothing is won by moving
    assert silence.fit([*CASES[:4], Case(-3.0, 0.0, False, False)]) == 1.1


def test_the_offset_acts_on_several_passages_and_on_no_single_one() -> None:
    plain, moved = small_denoiser(), small_denoiser()
    moved.calibration = replace(moved.calibration, several=2.0)
    for passages, changes in ((("Marisa made 12 knots.",), False), (("Marisa made 12 knots.", "Orla made 9."), True)):
        canvas = sheet(passages=passages, draft=(TEXT,))
        before, after = (
            next(r.probability for r in d.rank([canvas], 0, 1)[0] if r.fill is None) for d in (plain, moved)
        )
        assert (before != after) == changes
        assert after <= before + 1e-9


ROW = {
    "question": "Who built the boat that won?", "answer": "Pietro Canale", "gold_complete": True,
    "paragraphs": [
        {"title": "Race", "sentences": ["The boat Marisa won."], "gold": True},
        {"title": "Marisa", "sentences": ["Marisa was built by Pietro Canale."], "gold": True},
        {"title": "Bread", "sentences": ["Bread rises."], "gold": False},
    ],
}  # fmt: skip


def test_each_question_is_asked_whole_and_without_each_of_its_paragraphs() -> None:
    asked = list(silence.held_out([ROW, {**ROW, "answer": "yes"}], 0))
    assert [complete for *_, complete in asked] == [True, False, False]
    assert [len(passages) for _, passages, _, _ in asked] == [3, 2, 2]


def test_the_command_writes_what_it_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Calibration] = []
    monkeypatch.setattr(embedded_weights, "load", lambda folder: small_denoiser())
    monkeypatch.setattr(silence, "read_named", lambda folder, name: [ROW])
    monkeypatch.setattr(silence, "write", lambda found, folder: written.append(found))
    monkeypatch.setattr(silence, "read", lambda *_: [*CASES[:4], Case(-3.0, 0.0, False, False)])
    monkeypatch.setattr(sys, "argv", ["silence", "--apart", str(tmp_path), "--write"])
    silence.main()
    assert [c.several for c in written] == [1.1]


def test_every_case_of_a_shown_question_is_read() -> None:
    asked = list(silence.held_out([ROW], 0))
    denoiser = small_denoiser()
    canvases = [silence._canvas(denoiser, question, passages) for question, passages, _, _ in asked]
    cases = silence.read(denoiser, canvases, [gold for *_, gold, _ in asked], [whole for *_, whole in asked])
    assert [c.is_complete for c in cases] == [True, False, False]
    said = [next(iter(denoiser.rank([c], 0, 1)[0])).fill is not None for c in canvases]
    assert [c.answers(0.0) for c in cases] == said
