"""How the workbench is started: bound to this machine, quiet, and never open to strangers without a token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from palimpsest.ui.workbench import look, serving, settings, warming
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import USAGE, ResearchError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What Streamlit was told, instead of being started."""
    options: dict[str, Any] = {}
    monkeypatch.setattr(st.App, "run", lambda self, config: options.update(config))
    monkeypatch.setattr(warming, "warm", lambda config: None)
    monkeypatch.chdir(tmp_path)
    return options


def test_it_is_bound_to_this_machine_and_tells_nobody(served: dict[str, Any]) -> None:
    said: list[str] = []
    serving.serve(Config(), "127.0.0.1", 8600, browser=False, say=said.append)
    assert (served["server.address"], served["server.port"]) == ("127.0.0.1", 8600)
    assert served["browser.gatherUsageStats"] is False
    assert served["client.showErrorDetails"] == "none"
    assert served["server.headless"] is True
    assert (
        served["global.minCachedMessageSize"] > 1e9
    )  # a page whose parts are drawn again by themselves is lost by a cache
    assert said == ["research: the workbench is at http://127.0.0.1:8600 (Ctrl-C ends it; runs go on)"]
    assert settings.current().is_local


def test_others_come_in_with_a_token_only(served: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResearchError, match="set RESEARCH_SERVE_TOKEN") as refused:
        serving.serve(Config(), "0.0.0.0", 8600, browser=False, say=print)
    assert (refused.value.code, served) == (USAGE, {})
    monkeypatch.setenv("RESEARCH_SERVE_TOKEN", "secret")
    serving.serve(Config(), "0.0.0.0", 8600, browser=False, say=print)
    assert served["server.address"] == "0.0.0.0"
    assert not settings.current().is_local


def test_every_option_is_one_that_streamlit_knows() -> None:
    from streamlit import config

    assert set(serving.options("127.0.0.1", 8501)) <= set(config._config_options_template)


def test_the_page_is_ours_and_asks_nobody_else() -> None:
    html = serving.index()
    assert "<title>Palimpsest</title>" in html
    assert "BACKEND_BASE_URL" in html
    assert serving.ICON not in html
    assert not re.search(r'(?:src|href)="https?://', html)
    assert "http" not in look.style()


def _bright(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((_bright(one), _bright(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("number", [0, 1])
def test_every_colour_of_words_can_be_read(number: int) -> None:
    """WCAG AA: 4.5 to 1, on the page's paper and on its cards, light and dark."""
    pairs = dict(re.findall(r"--pp-(\w+): light-dark\((#\w{6}, #\w{6})\)", look.style()))
    colours = {name: both.split(", ")[number] for name, both in pairs.items()}
    ground = list(look.theme()[f"theme.{('light', 'dark')[number]}.backgroundColor"].split())
    for name in ("ink", "soft", "accent", "entity", "number", "text", "logic", "cite", "outline", "choice"):
        for paper in (colours["paper"], colours["shade"], *ground):
            assert contrast(colours[name], paper) >= 4.5, (name, colours[name], paper)
