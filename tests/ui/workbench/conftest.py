"""A finished run of the scripted writer, settings under which pages show it, and processes that end before a page goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from palimpsest.ui.workbench import navigation
from palimpsest.workflows import processes, research
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.ui.workbench import pages
from tests.workflows import scripted

Ways = list[tuple[str, dict[str, str]]]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Documents of the little world, its scripted writer, and pages served by them; a process is run to its end at once."""
    for name in [n for n in os.environ if n.startswith("RESEARCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    scripted.use(monkeypatch.setattr)
    monkeypatch.setattr(processes, "spawn", _run_to_its_end)
    docs = scripted.lay_documents(tmp_path / "docs")
    made = Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index")
    pages.serve(made, tmp_path)
    return made


def _run_to_its_end(run: Run, own: Config | None = None) -> int:
    research.check_hosts(run.record(), own)
    list(research.go_on(run))
    return 0


@pytest.fixture
def finished(config: Config) -> Run:
    return scripted.finished(config)


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> Ways:
    """Where pages led: the page and what its address asks for."""
    ways: Ways = []
    monkeypatch.setattr(navigation, "go", lambda name, **query: ways.append((name, query)))
    return ways
