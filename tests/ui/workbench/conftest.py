"""A finished run of the scripted writer, and settings under which pages show it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.ui.workbench import pages
from tests.workflows import scripted


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Documents of the little world, its scripted writer, and pages served by them."""
    for name in [n for n in os.environ if n.startswith("RESEARCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    scripted.use(monkeypatch.setattr)
    docs = scripted.lay_documents(tmp_path / "docs")
    made = Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index")
    pages.serve(made, tmp_path)
    return made


@pytest.fixture
def finished(config: Config) -> Run:
    return scripted.finished(config)


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """Where pages led: the page and what its address asks for."""
    from palimpsest.ui.workbench import navigation

    ways: list[tuple[str, dict[str, str]]] = []
    go: Callable[..., None] = lambda name, **query: ways.append((name, query))  # noqa: E731
    monkeypatch.setattr(navigation, "go", go)
    return ways
