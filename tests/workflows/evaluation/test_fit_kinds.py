"""What tells the kinds of questions apart, fitted on a handful of framed ones."""

from __future__ import annotations

import numpy as np

from palimpsest.agent.asking import KINDS
from palimpsest.workflows.evaluation.fit_kinds import FRAMES, NUM_FRAMED, framed, known_again, linear_kinds

NAMES = ("Orta", "Selm", "salt", "barges", "the toll")


def test_every_frame_is_put_around_so_many_names() -> None:
    rows = list(framed(NAMES))
    assert len(rows) == NUM_FRAMED * sum(map(len, FRAMES.values()))
    assert {kind for _, kind in rows} <= set(KINDS)
    assert not any("{" in question for question, _ in rows)
    asked = [question for question, kind in rows if kind == "survey" and " mean for " in question]
    assert len(set(asked)) > 10


def test_framed_kinds_are_known_again() -> None:
    rows = list(framed(NAMES))
    alike = np.ones((len(rows), 1), dtype=np.float32)
    assert min(known_again(rows, alike).values()) > 0.9
    fitted = linear_kinds(rows, alike)
    found = fitted.probabilities(["what lies behind the ropes?", "what did ropes mean for the quay?"], alike[:2])
    assert [fitted.labels[n] for n in found.argmax(axis=1)] == ["reason", "survey"]
