"""The default question, with the model and the library that lie in the repository: what the README says of it."""

from __future__ import annotations

import re
from pathlib import Path

from palimpsest import Config, research
from palimpsest.agent.state import Event

ROOT = Path(__file__).parents[2]


FACTS = "Which open diffusion language model is the fastest, and how many tokens per second does it reach?"


def asked(question: str, at: Path) -> tuple[list[Event], str]:
    """The events of a run over the bundled library, and its report."""
    events = list(research(question, Config(out=at / "runs", index=at / "index")))
    (report,) = (at / "runs").glob("*/report.md")
    return events, report.read_text(encoding="utf-8")


def test_the_default_run_is_a_report_of_sections_revised_for_three_reasons(tmp_path: Path) -> None:
    """If a new model or another choice of sentences has nothing to revise, the default question must be another."""
    question = re.findall(r"^Q \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]
    assert question in (ROOT / "README.md").read_text()
    events, report = asked(question, tmp_path)
    assert "**1,288**" in report
    assert (
        len(re.findall(r"^## ", report.split("## In short")[1].split("## Where sources disagree")[0], re.MULTILINE))
        >= 3
    )
    reasons = {e.data["reason"] for e in events if e.kind == "revised"}
    assert reasons >= {"contradicted", "unsure", "dependent"}


def test_a_question_of_facts_reopens_what_a_newer_document_contradicts(tmp_path: Path) -> None:
    events, output = asked(FACTS, tmp_path)
    assert any(e.kind == "reopened" for e in events)
    assert "**DiffusionGemma-26B-A4B**" in output
    assert "**1,288**" in output, (
        "what it depends on is answered by the same sentence: no other sentence makes that unsure"
    )
    assert "“1,100” → “1,288”: contradicted by" in output
    assert "“LLaDA-MoE-7B-A1B” → “DiffusionGemma-26B-A4B”: contradicted by" in output
    assert events[-1].data["answered"] == 2
