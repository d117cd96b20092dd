"""The plan before the work: what is asked is found out beside the page, and a person changes the list until they start it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import streamlit as st

from palimpsest.agent.plans import FORMS, Plan
from palimpsest.agent.state import PlanItem
from palimpsest.workflows import steering
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError, RetrievalError

from . import acts, components, navigation
from .markup import text

PROPOSAL, PLAN, PROBLEM = "proposal", "plan", "plan-problem"  # of a session
LOOK = 0.4  # seconds between two looks whether the plan is there
NAMES = {
    "": "found out later",
    "fact": "one answer",
    "open": "a report of sections",
    "balance": "for and against",
    "list": "a list",
}
_pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="plan")


@dataclass(frozen=True)
class Proposal:
    """A question that waits for its plan, and then for a person: with which settings it is asked, and what the run will be called."""

    question: str
    config: Config
    name: str
    job: Future[Plan]


def propose(question: str, config: Config, name: str) -> None:
    """Find out what is asked, beside the page; the page shows the plan when it is there."""
    st.session_state.pop(PLAN, None)
    st.session_state[PROPOSAL] = Proposal(question, config, name, _pool.submit(steering.plan, question, config))


def is_open() -> bool:
    return PROPOSAL in st.session_state


def close() -> None:
    for name in (PROPOSAL, PLAN, PROBLEM):
        st.session_state.pop(name, None)


def show() -> None:
    """The plan of the question that is proposed, to be changed and started."""
    proposal: Proposal = st.session_state[PROPOSAL]
    st.html(text("h1", proposal.question, class_="pp-title"))
    with components.region("Plan"):
        st.html(text("h2", "Plan", class_="pp-title"))
        if not proposal.job.done():
            _wait(proposal)
        else:
            _ready(proposal)
    st.button("Back to the question", type="tertiary", on_click=close, key="back")


@st.fragment(run_every=LOOK)
def _wait(proposal: Proposal) -> None:
    if proposal.job.done():
        st.rerun()
    navigation.empty(
        "Finding out what is asked. The first time, the model is opened for that; you may leave and come back."
    )


def _ready(proposal: Proposal) -> None:
    try:
        plan: Plan = st.session_state.setdefault(PLAN, proposal.job.result())
    except (ResearchError, RetrievalError) as error:
        navigation.problem(str(error))
        return
    st.html(
        text(
            "p",
            "What would be found out, in this order. Change it as you like; Start begins the work.",
            class_="pp-soft",
        )
    )
    for place, item in enumerate(plan.items):
        _item(plan, place, item)
    if PROBLEM in st.session_state:
        navigation.problem(st.session_state[PROBLEM])
    added = st.text_input("One thing more", key=f"more-{len(plan.items)}", placeholder="another question to find out")
    if st.button("Add", disabled=not added.strip(), key="add"):
        _change(plan.plus(added))
        st.rerun()
    if st.button("Start", type="primary", width="stretch", key="start"):
        navigation.guarded(lambda: _start(proposal, plan))


def _start(proposal: Proposal, plan: Plan) -> None:
    run = acts.begin(proposal.question, proposal.config, plan, proposal.name)
    close()
    navigation.go(navigation.RUN, id=run.folder.name)


def _item(plan: Plan, place: int, item: PlanItem) -> None:
    """One thing to find out: its words, the form of its answer, what bounds it, and ways to move it and to cut it."""
    mark = f"{place}-{abs(hash((item.words, item.kind, item.scope)))}-{len(plan.items)}"

    def field(name: str) -> dict[str, Any]:
        key = f"{name}-{mark}"
        return {"key": key, "on_change": _edit, "args": (name, place, key)}

    with st.container(border=True, key=f"item-{place}"):
        st.text_input(f"Item {place + 1}", value=item.words, **field("words"))
        left, middle, right = st.columns([3, 3, 4], vertical_alignment="bottom")
        forms = [*FORMS] if item.kind else ["", *FORMS]
        at = forms.index(item.kind)
        left.selectbox("Form of the answer", forms, index=at, format_func=_named, **field("kind"))
        middle.text_input("Limited to", value=item.scope, placeholder="as of 2019, in children", **field("scope"))
        with right.container(horizontal=True, horizontal_alignment="right"):
            for name, to in (("Up", place - 1), ("Down", place + 1)):
                is_off = not 0 <= to < len(plan.items)
                st.button(name, disabled=is_off, key=f"{name}-{place}", on_click=_move, args=(place, to))
            st.button("Cut", disabled=len(plan.items) == 1, key=f"cut-{place}", on_click=_cut, args=(place,))


def _named(kind: str) -> str:
    return NAMES.get(kind, kind)


def _edit(field: str, place: int, key: str) -> None:
    """What was typed joins the plan before the page is drawn, so that a click that came with it is not lost."""
    plan: Plan = st.session_state[PLAN]
    edits = {"words": plan.edited, "kind": plan.typed, "scope": plan.scoped}
    try:
        _change(edits[field](place, st.session_state[key] or ""))
    except ValueError as error:
        st.session_state[PROBLEM] = str(error)


def _move(place: int, to: int) -> None:
    _change(st.session_state[PLAN].moved(place, to))


def _cut(place: int) -> None:
    _change(st.session_state[PLAN].without(place))


def _change(plan: Plan) -> None:
    st.session_state[PLAN] = plan
    st.session_state.pop(PROBLEM, None)
