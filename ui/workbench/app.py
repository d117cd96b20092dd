"""The script that Streamlit runs for every page and every click: it frames the pages and shows the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from palimpsest.ui.workbench import look, navigation, warming
from palimpsest.ui.workbench.components import mend


def page(name: str) -> Callable[[], None]:
    """A page of ours, imported when it is first shown: the first screen waits for no model and no graph."""

    def show() -> None:
        navigation.guarded(import_module(f"palimpsest.ui.workbench.{name}").show)

    return show


def main() -> None:
    st.set_page_config(page_title="Palimpsest", page_icon=look.icon(), layout="wide", initial_sidebar_state="collapsed")
    pages = {
        "research": st.Page(page("ask"), title="Research", url_path="research", default=True),
        "runs": st.Page(page("runs"), title="Runs", url_path="runs"),
        "library": st.Page(page("library"), title="Library", url_path="library"),
        "model": st.Page(page("model"), title="Model", url_path="model"),
        "run": st.Page(page("run"), title="Run", url_path="run", visibility="hidden"),
    }
    navigation.hold(pages)
    chosen = st.navigation(list(pages.values()), position="top")
    st.html(look.style())
    mend("/".join((chosen.url_path, *st.query_params.get_all("id"))))
    chosen.run()
    warming.first_page_is_there()


main()
