"""A run over the barges, with the scripted writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.workflows.config import Config
from tests.workflows import scripted


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings of a run that reads three documents and keeps everything in the test's own folder."""
    scripted.use(monkeypatch.setattr)
    docs = scripted.lay_documents(tmp_path / "docs")
    return Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index")
