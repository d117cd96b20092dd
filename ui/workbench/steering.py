"""What a person can do to the words that are looked at, and to the report as a whole; each makes the next version of it."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.draft import Block, Span
from palimpsest.agent.steering import NOTHING, Edit, Steering
from palimpsest.workflows.amending import NO_EVIDENCE, Evidence
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import acts, navigation, settings, uploads

READY = ("done", "stopped")  # only a finished report can be revised


def of_words(run: Run, seen: Watched, found: tuple[Block, Span] | None) -> None:
    """Buttons for the chosen words; without any they stand there and do nothing."""
    block, span = found or (None, None)
    ready = seen.status in READY and span is not None
    opens = ready and span is not None and span.may_change
    pinned = span is not None and span.status == "pinned"
    with st.container(horizontal=True, key="words"):
        if st.button(
            "Reopen", disabled=not opens, key="reopen", help="have these words denoised again from the evidence"
        ):
            _revise(run, Steering(reopen=(_id(span),)))
        if st.button("Unpin" if pinned else "Pin", disabled=not opens, key="pin", help="pinned words never change"):
            _revise(run, Steering(unpin=(_id(span),)) if pinned else Steering(pin=(_id(span),)))
        with st.popover("Edit", disabled=not opens, key="edit"):
            _edit(run, span)
        with st.popover("Ask", disabled=not ready, key="ask-about"):
            _ask(run, block, span)
        with st.popover("Ban source", disabled=not (ready and _source(seen, block, span)), key="ban"):
            _ban(run, seen, block, span)


def _id(span: Span | None) -> str:
    return span.id if span else ""


def _edit(run: Run, span: Span | None) -> None:
    words = st.text_area("Your words", value=span.text if span else "", key=f"words-{_id(span)}", max_chars=2000)
    st.caption("They are pinned, and marked as a person's in every form of the report.")
    if st.button("Put them there", key="put") and span:
        _revise(run, Steering(edits=(Edit(span=span.id, words=words),)))


def _ask(run: Run, block: Block | None, span: Span | None) -> None:
    question = st.text_input("Ask about this", key=f"about-{_id(span)}", placeholder="since when?")
    if st.button("Ask about these words", key="ask-it", disabled=not question.strip()):
        words = " ".join((block.text if block else "").split())
        _revise(run, Steering(question=f"{question.rstrip(' ?.')} (“{words}”)?"))


def _source(seen: Watched, block: Block | None, span: Span | None) -> str:
    """The id of the source that the words were taken from; "" where there is none."""
    cited = block.span("citation") if block else None
    support = (span.support if span else ()) or (cited.support if cited else ())
    return next((p.source.id for s in support for p in seen.state.evidence if p.id == s.passage), "")


def _ban(run: Run, seen: Watched, block: Block | None, span: Span | None) -> None:
    st.caption(
        "Nothing may rest on this source any longer: whatever does is reopened, and written from the others or left open."
    )
    if st.button("Ban this source", key="ban-it"):
        _revise(run, Steering(ban=(_source(seen, block, span),)))


def of_report(run: Run, seen: Watched) -> None:
    """A question that follows on the report, and evidence that a person brings."""
    ready = seen.status in READY
    with st.expander("Ask a follow-up question"):
        question = st.text_input(
            "Follow-up question", key="follow-up", placeholder="and what about …", disabled=not ready
        )
        if st.button("Ask", disabled=not ready, key="ask-follow-up"):
            _revise(run, Steering(question=question))
    with st.expander("Add evidence"):
        _evidence(run, ready)


def _evidence(run: Run, ready: bool) -> None:
    files = st.file_uploader(
        "Files",
        type=uploads.endings(),
        accept_multiple_files=True,
        max_upload_size=uploads.MOST_MEGABYTES,
        key="evidence-files",
    )
    note = st.text_area(
        "Or a note of your own", key="evidence-note", height=80, placeholder="what you know, in plain sentences"
    )
    offline = settings.current().config.offline
    address = st.text_input("Or an address", key="evidence-address", disabled=offline, placeholder="https://…")
    if st.button("Hold the report against it", disabled=not ready, key="add-evidence"):
        folder = run.folder / "uploads" / str(len(run.record().versions) + 1)
        paths = uploads.keep(folder, files) if files else ()
        texts, urls = (tuple(filter(None, (words.strip(),))) for words in (note, address))
        _revise(run, NOTHING, Evidence(files=paths, texts=texts, urls=urls))


def _revise(run: Run, steering: Steering = NOTHING, evidence: Evidence = NO_EVIDENCE) -> None:
    """Begin the next version; the page follows it. Where that cannot be, say why."""

    def begin() -> None:
        acts.revise(run, steering, evidence)
        st.session_state[f"moment-{run.folder.name}"] = 10**6  # the slider goes to the newest draft
        st.rerun()

    navigation.guarded(begin)
