"""Ways to denoise free slots, by name: what `--denoising` chooses for a hosted model. Each is a `Plan` for so many open places."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .rules import factor
from .sampler import Plan, threshold
from .speculative import one_at_a_time

FAST_STEPS = 4


def steady(places: int) -> Plan:
    """What is nine times likelier than all else is settled together, the rest place by place."""
    return Plan(schedule=places, commit=threshold(0.9))


def fast(places: int) -> Plan:
    """Four steps at most; each takes as many places as may be drawn apart (Fast-dLLM's factor rule)."""
    return Plan(schedule=min(FAST_STEPS, places), commit=factor(1.0))


def careful(places: int) -> Plan:
    """One place a step, the likeliest first; the writer guesses several steps ahead (`speculative`), which changes no word."""
    return Plan(schedule=places, commit=one_at_a_time)


PROFILES: Mapping[str, Callable[[int], Plan]] = {"steady": steady, "fast": fast, "careful": careful}
