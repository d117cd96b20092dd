"""The drafts from the outline to the end on a slider: what changed with each, why, and on what evidence."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.state import ResearchState, Revision
from palimpsest.workflows.rendering.text import WHY, change, title_of
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Moment, Watched, moments

from . import components, navigation
from .diffs import between, lines
from .markup import element, escape, text
from .sheets import sheet

PACE = 1.4  # seconds a draft is shown while they are played


def show(run: Run, seen: Watched) -> None:
    st.html(text("h2", "Revisions", class_="pp-title"))
    found = moments(run)
    if not found:
        navigation.empty("Every draft will stand here, from the outline to the end. There is none yet.")
        return
    _play(run, found)


def _play(run: Run, found: list[Moment]) -> None:
    """The slider and the draft it is at; while they are played, a draft further with each look."""
    count, playing, chosen = len(found), f"playing-{run.folder.name}", f"moment-{run.folder.name}"
    slider = f"{chosen}-of-{count}"  # another for each number of drafts: what a browser still says of the last one moves none
    on = bool(st.session_state.get(playing))

    @st.fragment(run_every=PACE if on else None)
    def part() -> None:
        number = _place(chosen, slider, count)
        if on and number >= count - 1:
            st.session_state[playing] = False
            st.rerun()
        if on:
            number = st.session_state[slider] = number + 1
        _remember(chosen, number, count)
        if count > 1:
            _controls(count, slider, playing)
        _moment(run, found, number)

    part()


def _place(chosen: str, slider: str, count: int) -> int:
    """Where the slider stands; a new one stands at the draft that was chosen, else at the newest.

    A look may be cut off after any line of it: done again it leads to the same draft.
    """
    wanted = st.session_state.get(chosen)
    if slider not in st.session_state or (wanted is not None and wanted >= count):
        st.session_state[slider] = count - 1 if wanted is None else min(wanted, count - 1)
    return int(st.session_state[slider])


def _remember(chosen: str, number: int, count: int) -> None:
    """Keep which draft is looked at, for when there are more; who looks at the newest is led on to newer ones."""
    if number < count - 1:
        st.session_state[chosen] = number
    else:
        st.session_state.pop(chosen, None)


def _controls(count: int, slider: str, playing: str) -> None:
    left, right = st.columns([6, 1], vertical_alignment="bottom")
    with left:
        st.select_slider(
            "Drafts, from the outline to the end", range(count), key=slider, format_func=lambda n: str(n + 1)
        )
    name = "Pause" if st.session_state.get(playing) else "Play"
    if right.button(name, key=f"turn-{playing}", on_click=_turn, args=(slider, playing, count), width="stretch"):
        st.rerun()


def _turn(slider: str, playing: str, count: int) -> None:
    """Start or stop playing; from the end it starts again."""
    st.session_state[playing] = not st.session_state.get(playing)
    if st.session_state[playing] and st.session_state.get(slider, 0) >= count - 1:
        st.session_state[slider] = -1  # the next look goes one further


def _moment(run: Run, found: list[Moment], number: int) -> None:
    moment = found[number]
    before = found[number - 1].state if number else ResearchState(question=moment.state.question)
    left, right = st.columns([8, 5], gap="large")
    with left, st.container(key="moment-draft"):
        components.draft(sheet(moment.state, still=True), key=f"moments-{run.folder.name}")
    with right:
        st.html(described(moment, before, number, len(found)))


def described(moment: Moment, before: ResearchState, number: int, count: int) -> str:
    """What a draft brought: the words that changed, and each revision with its reason and evidence."""
    head = text("h3", f"Draft {number + 1} of {count}, version {moment.version}: {moment.step}")
    changed = lines(before.draft, moment.state.draft)
    reasons = "".join(reason(moment.state, r) for r in moment.revisions)
    diff = "".join(f"<li>{between(old, new)}</li>" for _, old, new in changed if new or old)
    parts = [
        head,
        f"<h4>Reopened, and why</h4><ul>{reasons}</ul>" if reasons else "",
        f"<h4>Words</h4><ul>{diff}</ul>" if diff else "",
    ]
    return element("div", "".join(parts), class_="pp-card", aria_live="polite")


def reason(state: ResearchState, revision: Revision) -> str:
    old, new = change(revision)
    source = next((p.source for p in state.passages if p.id == revision.evidence), None)
    why = escape(WHY.get(revision.reason, revision.reason)) + (f": {escape(title_of(source))}" if source else "")
    return f"<li>{between(old, new)}<br><span class='pp-soft'>{why}</span></li>"
