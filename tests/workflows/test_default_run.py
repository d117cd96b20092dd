"""The default question, with the model and the library that lie in the repository: what the README says of it."""

from __future__ import annotations

import re
from pathlib import Path

from palimpsest import Config, research

ROOT = Path(__file__).parents[2]


def test_the_default_run_reopens_what_a_newer_document_contradicts(tmp_path: Path) -> None:
    """If a new model reads the newer document first there is no belief to revise, and the default question must be another."""
    question = re.findall(r"^Q \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
    assert question in (ROOT / "README.md").read_text()
    events = list(research(question, Config(out=tmp_path / "runs", index=tmp_path / "index")))
    (report,) = (tmp_path / "runs").glob("*/report.md")
    output = report.read_text(encoding="utf-8")
    assert any(e.kind == "reopened" for e in events)
    assert "**DiffusionGemma-26B-A4B**" in output
    assert "**1,288**" in output, (
        "what it depends on is answered by the same sentence: no other sentence makes that unsure"
    )
    assert "“1,100” → “1,288”: contradicted by" in output
    assert "“LLaDA-MoE-7B-A1B” → “DiffusionGemma-26B-A4B”: contradicted by" in output
    assert events[-1].data["answered"] == 2
