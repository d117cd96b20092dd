"""From where on a slot decides: the least step that turns few enough, and the number that is shipped."""

from __future__ import annotations

import pytest

from palimpsest.agent import thresholds
from palimpsest.workflows.evaluation import fit_slots
from palimpsest.workflows.evaluation.fit_slots import Kinds


def test_only_what_the_wording_leaves_unsure_is_turned() -> None:
    unsure, sure, plain = Kinds(0.6, 0.9), Kinds(0.99, 0.9), Kinds(0.1, 0.9)
    assert [k.is_turned(0.8) for k in (unsure, sure, plain)] == [True, False, False]
    assert fit_slots.turned([unsure, sure, plain], 0.8) == 0.5  # of the two that are called open
    assert not unsure.is_turned(0.95)


def test_the_least_step_at_which_one_in_fifty_is_turned() -> None:
    found = [Kinds(0.6, 0.72), *[Kinds(0.6, 0.1)] * 24]
    assert fit_slots.fit(found) == 0.75
    assert fit_slots.fit([Kinds(0.6, 0.72), *[Kinds(0.6, 0.1)] * 60]) == 0.5
    assert fit_slots.fit([Kinds(0.6, 0.99)]) == 1.0


def test_the_shipped_number_is_a_step_of_the_fit_and_says_so() -> None:
    assert thresholds.SHIPPED.slot_fact in fit_slots.STEPS
    assert "fit_slots" in thresholds.SHIPPED.origins["slot_fact"]
    assert pytest.approx(0.02) == fit_slots.MOST_TURNED
