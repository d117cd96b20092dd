"""Ways to denoise free slots, by name: what `--denoising` chooses for a hosted model. Each is a `Plan` for so many open places."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .rules import during, factor, low_quality
from .sampler import Plan, threshold
from .speculative import one_at_a_time

FAST_STEPS = 4


def steady(places: int, doubt: float = 0.5) -> Plan:
    """What is nine times likelier than all else is settled together, the rest place by place.

    A model with a quality head looks back in the second half, and opens again what it gives less than `doubt`: a quarter at most.
    """
    look_back = during(places // 2, places, low_quality(doubt, 0.25))
    return Plan(schedule=places + places // 2, commit=threshold(0.9), reopen=look_back)


def fast(places: int, doubt: float = 0.5) -> Plan:
    """Four steps at most; each takes as many places as may be drawn apart (Fast-dLLM's factor rule)."""
    return Plan(schedule=min(FAST_STEPS, places), commit=factor(1.0))


def careful(places: int, doubt: float = 0.5) -> Plan:
    """One place a step, the likeliest first; the writer guesses several steps ahead (`speculative`), which changes no word."""
    return Plan(schedule=places, commit=one_at_a_time)


PROFILES: Mapping[str, Callable[[int, float], Plan]] = {"steady": steady, "fast": fast, "careful": careful}
