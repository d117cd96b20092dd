"""The scale of belief: decisions stay, confidence becomes what can be believed."""

from __future__ import annotations

import math

import pytest

from palimpsest.agent.numbers import log_odds, probability
from palimpsest.workflows.calibration import numbers_of
from palimpsest.workflows.evaluation import fit_numbers
from palimpsest.workflows.evaluation.fit_numbers import Given


def given(belief: float, right: int, of: int) -> list[Given]:
    return [Given(belief, n < right) for n in range(of)]


def test_beliefs_that_say_too_much_are_drawn_in() -> None:
    """What is believed at 4 to 1 and at 1 to 4 is right in three of five cases and in two."""
    answers = given(math.log(4), 180, 300) + given(-math.log(4), 120, 300)
    slope, offset = fit_numbers.fit(answers)
    assert probability(slope * math.log(4) + offset) == pytest.approx(0.6, abs=0.01)
    assert probability(-slope * math.log(4) + offset) == pytest.approx(0.4, abs=0.01)
    assert fit_numbers.ece(answers) == pytest.approx(0.2)
    assert fit_numbers.ece(answers, slope, offset) < 0.02


def test_all_right_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="of 4 answers 4 are right"):
        fit_numbers.fit(given(1.0, 4, 4))


def test_every_decision_stays_when_beliefs_are_stretched() -> None:
    """A belief is a sum of weights; stretched numbers make it slope * belief + offset, and thresholds on it move alike."""
    old = numbers_of("embedded")
    new = fit_numbers.stretched(old, 0.6, -0.3)
    belief = old.prior + old.reading * log_odds(0.7) + old.topic - old.around * 0.4 + old.agreement * 0.5
    moved = new.prior + new.reading * log_odds(0.7) + new.topic - new.around * 0.4 + new.agreement * 0.5
    assert moved == pytest.approx(0.6 * belief - 0.3, abs=1e-3)
    for name in fit_numbers.ON_BELIEF:
        assert log_odds(getattr(new, name)) == pytest.approx(0.6 * log_odds(getattr(old, name)) - 0.3, abs=1e-3)
    moved_names = {n for n in type(old).model_fields if getattr(new, n) != getattr(old, n)}
    assert moved_names == {"prior", "hop_slope", "hop_offset", *fit_numbers.IN_LOG_ODDS, *fit_numbers.ON_BELIEF}
    told = old.hop_slope * belief + old.hop_offset
    assert new.hop_slope * moved + new.hop_offset == pytest.approx(told, abs=1e-3)
    plain = fit_numbers.untold(old)
    assert plain.hop_slope * belief + plain.hop_offset == belief
