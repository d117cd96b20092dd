"""A canvas to play on: mark words of a text as masks, give evidence, and watch the model denoise them, step by step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import streamlit as st

from palimpsest.workflows.errors import USAGE, ResearchError
from palimpsest.workflows.playing import Mask, Turn, play

from . import components, navigation, settings
from .canvases import canvas_of, described
from .look import KINDS
from .markup import text

TEXT = "The chief engineer of the Golden Gate Bridge was Joseph Strauss. It opened on 27 May 1937. Its main span is 1,280 metres long."
EVIDENCE = (
    "The Golden Gate Bridge opened on 27 May 1937. Its chief engineer was Joseph Strauss, and its main span is 1,280 metres long.\n\n"
    "The Bay Bridge opened on 12 November 1936. Its chief engineer was Charles Purcell, and it is 7,180 metres long."
)
MARKED = {"9-10": "ENTITY", "14-16": "NUMBER", "21-21": "NUMBER"}  # of TEXT, by first and last word
LOOK = 0.4  # seconds between two looks whether it is denoised
PACE = 1.2  # seconds a step is shown while they are played
OFFERED = ("ENTITY", "NUMBER", "TEXT", "CITE", "CHOICE")
_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="play")  # a slow model holds up no page


def show() -> None:
    st.html(
        text("h2", "A canvas to play on", class_="pp-title")
        + text(
            "p",
            "A diffusion model does not write from left to right. It sees the whole text with its holes, says for every hole "
            "what might stand there, and fills the surest first; what it filled changes what the others may become. Choose a "
            "kind, then the first and the last word of a mask. Percentages are what the model itself believes; how far that "
            "can be trusted stands below.",
            class_="pp-soft",
        )
    )
    left, right = st.columns(2, gap="large")
    with left:
        words = st.text_area("Text", value=TEXT, key="play-text", max_chars=2000, height=140, on_change=_forget).split()
    with right:
        evidence = st.text_area(
            "Evidence, a passage to a paragraph", value=EVIDENCE, key="play-evidence", max_chars=8000, height=140
        )
    kind = st.segmented_control(
        "Kind of mask", OFFERED, default="ENTITY", required=True, format_func=_named, key="play-kind"
    )
    _mark(words, str(kind))
    with st.container(horizontal=True):
        asked = st.button("Denoise", type="primary", key="denoise")
        st.button("Take all masks away", key="play-clear", on_click=_clear)
    if asked:
        navigation.guarded(lambda: _denoise(words, evidence))
    navigation.guarded(_steps)


def _named(kind: str) -> str:
    return KINDS[kind]


def marks() -> dict[str, str]:
    """The masks of the text: "first-last" word, and kind."""
    return dict(st.session_state.setdefault("play-marks", dict(MARKED)))


def _forget() -> None:
    """Another text: its words are others."""
    st.session_state["play-marks"] = {}
    _clean()


def _clean() -> None:
    """What was denoised, or is just now, is of other masks."""
    for name in ("play-job", "play-turns"):
        st.session_state.pop(name, None)


def _clear() -> None:
    _forget()


def _mark(words: list[str], kind: str) -> None:
    held = marks()
    of_word = {n: k for key, k in held.items() for n in range(*_range(key))}
    shown = [{"text": w, **({"mask": of_word[n]} if n in of_word else {})} for n, w in enumerate(words)]
    chosen = components.marker(shown, key="marker")
    if chosen:
        st.session_state["play-marks"] = toggled(held, int(chosen[0]), int(chosen[1]), kind)
        _clean()
        st.rerun()


def _range(key: str) -> tuple[int, int]:
    first, last = key.split("-")
    return int(first), int(last) + 1


def toggled(held: dict[str, str], first: int, last: int, kind: str) -> dict[str, str]:
    """The masks with one more; those that it touches go, and marking the same again takes it away."""
    key = f"{first}-{last}"
    apart = {k: v for k, v in held.items() if _range(k)[1] <= first or last < _range(k)[0]}
    return apart if held.get(key) == kind else {**apart, key: kind}


def pieces(words: list[str], held: dict[str, str]) -> list[str | Mask]:
    """The text as the model gets it: words between masks. A comma or stop behind a masked word stays."""
    masks = {_range(key)[0]: (_range(key)[1], kind) for key, kind in held.items() if _range(key)[1] <= len(words)}
    found: list[str | Mask] = []
    said, at = "", 0
    while at < len(words):
        end, kind = masks.get(at, (at + 1, ""))
        gap = " " if end < len(words) else ""
        if kind:
            last = words[end - 1]
            found += [said, Mask(kind=kind)]
            said = last[len(last.rstrip(".,;:!?)")) :] + gap
        else:
            said += words[at] + gap
        at = end
    return [*found, said] if said else found


def _denoise(words: list[str], evidence: str) -> None:
    text_pieces = pieces(words, marks())
    if not any(isinstance(p, Mask) for p in text_pieces):
        raise ResearchError("mark at least one mask: choose a kind, then click the first and the last word", USAGE)
    job = _pool.submit(play, settings.current().config, text_pieces, evidence.split("\n\n"))
    st.session_state["play-job"] = (text_pieces, job)


@st.fragment(run_every=LOOK)
def _wait(job: Future[list[Turn]]) -> None:
    if job.done():
        st.rerun()
    navigation.empty("Denoising. The first time, the model is opened for that; you may leave this page and come back.")


def _play() -> None:
    """Show the steps one after the other, from the first."""
    st.session_state["play-step"], st.session_state["play-on"] = -1, True


def _steps() -> None:
    """The canvas at a step, on a slider; while it is played, a step further with each look."""
    job: tuple[list[Any], Future[list[Turn]]] | None = st.session_state.get("play-job")
    if job and not job[1].done():
        _wait(job[1])
        return
    if job:
        st.session_state.pop("play-job")
        st.session_state["play-turns"] = (job[0], job[1].result())
        _play()
    held: tuple[list[Any], list[Turn]] | None = st.session_state.get("play-turns")
    if held is None:
        return
    text_pieces, turns = held
    last, on = len(turns) - 1, bool(st.session_state.get("play-on"))

    @st.fragment(run_every=PACE if on else None)
    def part() -> None:
        step = int(st.session_state.get("play-step", last))
        if on and step >= last:
            st.session_state["play-on"] = False
            st.rerun()
        st.session_state["play-step"] = step + 1 if on else step
        left, right = st.columns([6, 1], vertical_alignment="bottom")
        step = left.slider("Step of denoising", 0, last, key="play-step")
        if right.button("Play", key="play-again", on_click=_play, disabled=on, width="stretch"):
            st.rerun()
        st.html(canvas_of(text_pieces, turns[step]))
        st.html(described(turns[step]))

    part()
