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
    key, playing = f"moment-{run.folder.name}", f"playing-{run.folder.name}"
    on = bool(st.session_state.get(playing))

    @st.fragment(run_every=PACE if on else None)
    def part() -> None:
        number = _place(key, len(found))
        if on and number >= len(found) - 1:
            st.session_state[playing] = False
            st.rerun()
        st.session_state[key] = number + 1 if on else number
        if len(found) > 1:
            _controls(found, key, playing)
        _moment(run, found, st.session_state[key])

    part()


def _place(key: str, count: int) -> int:
    """The draft that is looked at; who looks at the newest is led on to newer ones."""
    number, before = st.session_state.get(key, count - 1), st.session_state.get(f"{key}-of", count)
    st.session_state[f"{key}-of"] = count
    return count - 1 if number >= before - 1 and count != before else min(number, count - 1)


def _controls(found: list[Moment], key: str, playing: str) -> None:
    left, right = st.columns([6, 1], vertical_alignment="bottom")
    with left:
        st.select_slider(
            "Drafts, from the outline to the end", range(len(found)), key=key, format_func=lambda n: str(n + 1)
        )
    name = "Pause" if st.session_state.get(playing) else "Play"
    if right.button(name, key=f"turn-{playing}", on_click=_turn, args=(key, playing, len(found)), width="stretch"):
        st.rerun()


def _turn(key: str, playing: str, count: int) -> None:
    """Start or stop playing; from the end it starts again."""
    st.session_state[playing] = not st.session_state.get(playing)
    if st.session_state[playing] and st.session_state.get(key, 0) >= count - 1:
        st.session_state[key] = -1  # the next look goes one further


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
