"""Pages under Streamlit's own test of apps, with the scripted writer's runs to show."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from palimpsest.ui.workbench import settings
from palimpsest.workflows.config import Config

SECONDS = 60  # that a page may take on a busy machine


def serve(config: Config, folder: Path, *, is_local: bool = True) -> None:
    """Pages are shown as `research ui` in `folder` would show them."""
    settings.hold(settings.Settings(config, folder, is_local))


def page(name: str, **query: str) -> AppTest:
    """A page, shown once."""
    shown = AppTest.from_string(f"from palimpsest.ui.workbench import {name}\n{name}.show()\n", default_timeout=SECONDS)
    for key, value in query.items():
        shown.query_params[key] = value
    return shown.run()


def words(shown: AppTest) -> str:
    """Everything of ours on a page, as markup."""
    return "\n".join(str(element.proto.body) for element in shown.get("html"))


def press(shown: AppTest, label: str) -> AppTest:
    """Press the first button of this label, and show the page again."""
    next(b for b in shown.button if b.label == label and not b.disabled).click()
    return shown.run()


def chosen(shown: AppTest, span: str) -> AppTest:
    """The page of a run with a span chosen in its draft."""
    shown.session_state[f"picked-{shown.query_params['id']}"] = span
    return shown.run()
