"""The first page: a question, what to search, and the runs there were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from palimpsest.workflows import research
from palimpsest.workflows.config import Config, make
from palimpsest.workflows.runs import fresh_name

from . import acts, navigation, planning, recent, settings, uploads
from .markup import text

EXAMPLES = (
    "Which open diffusion language model is the fastest, and how many tokens per second does it reach?",
    "How does caching speed up a diffusion language model?",
    "What are the open challenges for diffusion language models?",
)
LIBRARY, FOLDER, UPLOAD = "Bundled library", "A folder", "Upload"
EFFORTS = {1: "quick", 2: "brief", 3: "normal", 4: "careful", 5: "thorough"}


def show() -> None:
    with st.container(key="narrow-ask"):
        if planning.is_open():
            planning.show()
            return
        st.html(
            '<div class="pp-brand"><h1 class="pp-title"><span class="pp-ghost" data-under="Palimpsest">Palimpsest</span></h1>'
            "<p>Ask a question of documents. Watch a diffusion language model write the answer out of masks, "
            "and take back what newer evidence contradicts.</p></div>"
        )
        navigation.guarded(_form)
        recent.show()


def _form() -> None:
    question = st.text_input(
        "Research question",
        key="question",
        max_chars=research.LONGEST_QUESTION,
        placeholder="What do you want to know?",
    )
    docs = _documents()
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        effort = st.select_slider("Effort", list(EFFORTS), value=settings.current().config.effort, format_func=_effort)
    with right:
        straight = st.checkbox("Go straight on, without showing me the plan", key="straight")
    with st.expander("Model, time and seed"):
        more = _more()
    asked = st.button("Start", type="primary", width="stretch", key="start")
    _examples()
    if asked:
        _start(question, docs, {"effort": effort, **more}, straight)


def _effort(value: int) -> str:
    return f"{value} · {EFFORTS[value]}"


def _documents() -> Any:
    """What is to be searched: paths, or files that were uploaded."""
    held = settings.current()
    given = ["Your documents"] if held.config.docs else []
    choices = [*given, LIBRARY, *([FOLDER] if held.is_local else []), UPLOAD]
    where = st.segmented_control("Documents", choices, default=choices[0], required=True, key="where")
    if where == FOLDER:
        name = st.text_input(
            "Folder or file", key="folder", placeholder="notes/ or /home/me/papers", help="on this machine"
        )
        return (held.folder / Path(name).expanduser(),) if name.strip() else None
    if where == UPLOAD:
        return st.file_uploader(
            "Documents to upload",
            type=uploads.endings(),
            accept_multiple_files=True,
            max_upload_size=uploads.MOST_MEGABYTES,
            key="files",
        )
    own = held.config.docs if where != LIBRARY else ()
    names = ", ".join(map(str, own)) or "notes on diffusion language models that come with Palimpsest"
    st.html(text("p", f"Searched: {names}", class_="pp-soft pp-small"))
    return own


def _more() -> dict[str, Any]:
    config = settings.current().config
    model = config.model
    if settings.current().is_local:
        model = st.text_input(
            "Model", value=config.model, help="embedded, a folder of weights, a Hugging Face id, or a server's address"
        )
    left, right = st.columns(2)
    budget = left.text_input("Time limit", placeholder="none; or 90s, 5m", key="budget")
    seed = right.number_input("Seed", value=config.seed, step=1, help="the same seed gives the same report")
    return {"model": model, "seed": int(seed), **({"budget": budget} if budget.strip() else {})}


def _examples() -> None:
    st.html(text("p", "Or try one of these on the bundled library:", class_="pp-soft pp-small"))
    with st.container(key="examples", gap=None):
        for number, example in enumerate(EXAMPLES):
            st.button(example, type="tertiary", key=f"example-{number}", on_click=_take, args=(example,))


def _take(example: str) -> None:
    st.session_state["question"] = example
    st.session_state["where"] = LIBRARY


def _start(question: str, docs: Any, chosen: dict[str, Any], straight: bool) -> None:
    """Find out the plan of a run with what was chosen, or begin it at once and go to its page."""
    if not question.strip():
        navigation.problem("write a question first, or take one of the examples")
        return
    if docs is None or (st.session_state.get("where") == UPLOAD and not docs):
        navigation.problem("no documents are chosen; name a folder, upload files, or take the bundled library")
        return
    held = settings.current()
    name = fresh_name(question)
    paths = tuple(docs)
    if st.session_state.get("where") == UPLOAD:
        paths = (held.runs / name / "uploads",)
        uploads.keep(paths[0], docs)
    config: Config = make({**held.config.model_dump(), "docs": paths, "out": held.runs, **chosen})
    if straight:
        run = acts.begin(question, config, name=name)
        navigation.go(navigation.RUN, id=run.folder.name)
    research.checked(question, config)
    planning.propose(question, config, name)
    st.rerun()
