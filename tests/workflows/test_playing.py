"""A canvas to play on, with the embedded model: the surest place is settled first, and what is settled stays."""

from __future__ import annotations

from itertools import pairwise

import pytest

from palimpsest.workflows import playing
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.playing import Mask

EVIDENCE = ("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Bread rises best in a warm room.")
TEXT = ["The fastest barge on Lake Orta is ", Mask(kind="ENTITY"), ", which reaches ", Mask(kind="NUMBER"), " knots."]


def test_one_place_a_step_is_settled_the_surest_first() -> None:
    turns = playing.play(Config(), TEXT, EVIDENCE)
    assert [t.step for t in turns] == list(range(len(turns)))
    assert [sum(p.words is not None for p in t.places) for t in turns][:3] == [0, 1, 2]
    first = next(n for n, p in enumerate(turns[1].places) if p.words is not None)
    assert turns[0].places[first].options[0].probability == max(p.options[0].probability for p in turns[0].places)
    assert [p.words for p in turns[-1].places] == ["Marisa", "12"]
    for before, after in pairwise(turns):
        assert all(b.words in (None, a.words) for a, b in zip(after.places, before.places, strict=True))
        assert all(0 <= o.probability <= 1 for p in after.places for o in p.options)


def test_a_verdict_is_chosen_from_what_is_listed() -> None:
    (before, after) = playing.play(Config(), ["Marisa reaches 12 knots: ", Mask(kind="CHOICE")], EVIDENCE)[:2]
    assert sum(o.probability for o in before.places[0].options) == pytest.approx(1, abs=1e-3)
    assert after.places[0].words in playing.VERDICT_WORDS


@pytest.mark.parametrize(
    ("text", "evidence", "message"),
    [
        (["no masks"], EVIDENCE, "mark at least one"),
        (TEXT, ("", " "), "give evidence"),
        ([Mask(kind="ENTITY")] * 13, EVIDENCE, "too much for one canvas"),
        (TEXT, ("x" * 20_001,), "too much for one canvas"),
    ],
)
def test_what_cannot_be_played_is_a_sentence(text: list[str | Mask], evidence: tuple[str, ...], message: str) -> None:
    with pytest.raises(ResearchError, match=message):
        playing.play(Config(), text, evidence)
