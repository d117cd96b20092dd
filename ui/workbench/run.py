"""The page of one run: it is watched while it is written, and judged and steered when it is there."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched, watch

from . import (
    changed,
    conflicts,
    draft,
    exports,
    header,
    hypotheses,
    navigation,
    plan,
    revisions,
    steering,
    steps,
    timeline,
)
from .components import region
from .markup import text

LIVE = 0.5  # seconds between two looks at a run that is written; at most five times a second
SLOW = 3.0  # for what changes with a step


def show() -> None:
    run = navigation.chosen_run()
    if run is None:
        navigation.empty("There is no such run in this folder. Choose one on the page “Runs”, or ask a question.")
        return
    seen = watch(run)
    is_live = seen.status in header.LIVE
    _part(run, seen, _top, LIVE if is_live else None)
    for name, draw in (
        ("Conflicts", conflicts.show),
        ("Revisions", revisions.show),
        ("Hypotheses", hypotheses.show),
        ("Timeline", timeline.show),
    ):
        _part(run, seen, _framed(name, draw), SLOW if is_live else None)
    with region("Export"):
        navigation.guarded(lambda: exports.show(run, seen))


def _part(run: Run, seen: Watched, draw: Callable[[Run, Watched], None], every: float | None) -> None:
    """A piece of the page that is drawn again by itself; when the run begins or ends, all of it is."""

    @st.fragment(run_every=every)
    def part() -> None:
        navigation.guarded(look)

    def look() -> None:
        now = watch(run) if every else seen
        if now.status != seen.status:
            st.rerun()
        draw(run, now)

    part()


def _framed(name: str, draw: Callable[[Run, Watched], None]) -> Callable[[Run, Watched], None]:
    def framed(run: Run, seen: Watched) -> None:
        with region(name):
            draw(run, seen)

    return framed


def _top(run: Run, seen: Watched) -> None:
    header.show(run, seen)
    navigation.guarded(lambda: changed.show(run, seen))
    with region("Plan"):
        plan.show(run, seen)
    wide, narrow = st.columns([8, 5], gap="large")
    with wide, region("Draft"):
        picked = draft.show(run, seen)
    with narrow, st.container(key="beside"):
        with region("Evidence"):
            found = draft.place(seen.state.draft, picked)
            st.html(text("h2", "Evidence", class_="pp-title"))
            steering.of_words(run, seen, found)
            draft.evidence(run, seen, found)
        steering.of_report(run, seen)
        with region("Steps"):
            steps.show(run, seen)
