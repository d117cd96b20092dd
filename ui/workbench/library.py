"""What can be searched: the documents of the index, what of them could not be read, and what a search of them finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from palimpsest.agent.blocks import Source
from palimpsest.workflows import shelf
from palimpsest.workflows.config import Config, make
from palimpsest.workflows.corpus import search_index
from palimpsest.workflows.documents import check_docs

from . import navigation, settings, uploads
from .markup import element, escape, text

FOUND = 8  # passages of a search
MOST = 500  # documents shown
DOCUMENTS = "documents"  # the folder of what was added here, in the folder of runs


def show() -> None:
    st.html(text("h1", "Library", class_="pp-title"))
    config = searched()
    names = ", ".join(str(p) for p in config.docs) or "the bundled library of notes on diffusion language models"
    st.html(text("p", f"Searched here: {names}.", class_="pp-soft"))
    _change()
    navigation.guarded(lambda: _search(config))
    if shelf.is_indexed(config) or st.button("Show what is indexed", key="look"):
        navigation.guarded(lambda: _held(config))
    else:
        navigation.empty(
            "These documents were not indexed yet; they are when you search them, ask of them, or want to see."
        )


def searched() -> Config:
    """The settings with the documents of this page: those that the workbench was started with, and what was added or taken away."""
    held = settings.current()
    paths = st.session_state.setdefault("paths", _first(held))
    return make({**held.config.model_dump(), "docs": tuple(paths)})


def _first(held: settings.Settings) -> list[Path]:
    own = held.runs / DOCUMENTS
    return [*(held.folder / p for p in held.config.docs), *([own] if own.is_dir() else [])]


def _keep(folder: Path, files: Sequence[Any]) -> None:
    uploads.keep(folder, files)
    _add(folder)


def _change() -> None:
    held = settings.current()
    with st.expander("Add or remove documents"):
        files = st.file_uploader(
            "Documents to add",
            type=uploads.endings(),
            accept_multiple_files=True,
            max_upload_size=uploads.MOST_MEGABYTES,
        )
        if files and st.button("Add these files"):
            navigation.guarded(lambda: _keep(held.runs / DOCUMENTS, files))
        if held.is_local:
            name = st.text_input("Folder or file of this machine", key="add-folder", placeholder="notes/")
            if st.button("Add this folder", disabled=not name.strip()):
                navigation.guarded(lambda: _add(held.folder / Path(name).expanduser()))
        for number, path in enumerate(st.session_state["paths"]):
            left, right = st.columns([6, 1], vertical_alignment="center")
            left.html(text("code", str(path)))
            right.button("Remove", key=f"remove-{number}", on_click=_remove, args=(path,), width="stretch")


def _add(path: Path) -> None:
    check_docs([path])
    st.session_state["paths"] = [*dict.fromkeys([*st.session_state["paths"], path])]
    st.rerun()


def _remove(path: Path) -> None:
    """Search it no longer; the file stays where it is."""
    st.session_state["paths"] = [p for p in st.session_state["paths"] if p != path]


def _search(config: Config) -> None:
    query = st.text_input("Search the documents", key="query", placeholder="what a passage should be about")
    if not query.strip():
        return
    if not shelf.is_indexed(config):
        _look(config)
    with st.spinner("Searching"):
        hits = search_index(config, query, FOUND)
    if not hits:
        navigation.empty("No passage was found; try other words.")
    for hit in hits:
        place = " › ".join((hit.passage.source.title, *hit.passage.path))
        ways = {"dense": "by meaning", "lexical": "by its words"}
        how = " and ".join(ways.get(w, w) for w in hit.found_by)
        head = (
            text("h3", place)
            + f'<p class="pp-soft">{escape(hit.passage.source.date or "undated")} · found {escape(how)}</p>'
        )
        lines = "<br>".join(map(escape, hit.passage.text.splitlines()))
        st.html(element("div", head + element("p", lines, class_="pp-quote"), class_="pp-card"))


def _look(config: Config) -> shelf.Shelf:
    """Index what is new, with progress, and tell what is held; leaving in the middle loses nothing that was read."""
    bar = st.progress(0.0, text="Opening the index")

    def watch(progress: shelf.Progress) -> None:
        left = "" if progress.seconds_left is None else f", about {progress.seconds_left:,.0f} s left"
        bar.progress(
            progress.done / max(1, progress.total), text=f"{progress.done:,} of {progress.total:,} files{left}"
        )

    held = shelf.look(config, watch)
    bar.empty()
    return held


def _held(config: Config) -> None:
    held = _look(config)
    st.html(facts(held.info))
    if held.unread:
        lines = (f"{f.name}: {f.message}" if f.name not in f.message else f.message for f in held.unread[:MOST])
        st.html(text("h2", "What could not be read", class_="pp-title"))
        st.html("".join(text("p", sentence, class_="pp-problem") for sentence in lines))
    st.html(
        element(
            "div",
            table(held.documents[:MOST]),
            class_="pp-card pp-wide",
            tabindex="0",
            role="group",
            aria_label="Documents",
        )
    )
    if len(held.documents) > MOST:
        st.html(
            text(
                "p",
                f"The first {MOST} of {len(held.documents):,} documents; search finds the others.",
                class_="pp-soft",
            )
        )


def facts(info: shelf.IndexInfo) -> str:
    counts = (
        (info.num_documents, "document" if info.num_documents == 1 else "documents"),
        (info.num_passages, "passage" if info.num_passages == 1 else "passages"),
        (info.num_unread, "not read, or not whole"),
    )
    lines = [f"<span><b>{number:,}</b> {words}</span>" for number, words in counts]
    return element(
        "p", "".join([*lines, text("span", f"languages: {', '.join(info.languages) or 'not told'}")]), class_="pp-facts"
    )


def table(documents: Sequence[Source]) -> str:
    """Titles, dates and where each date is from."""
    head = "<tr><th>Document</th><th>Date</th><th>Date from</th><th>Where</th></tr>"
    cells = (
        (
            text("td", s.title),
            text("td", s.date or "undated", class_="pp-tight"),
            text("td", s.date_from or "–"),
            text("code", s.uri),
        )
        for s in documents
    )
    return f"<table>{head}{''.join(f'<tr>{a}{b}{c}<td>{d}</td></tr>' for a, b, c, d in cells)}</table>"
