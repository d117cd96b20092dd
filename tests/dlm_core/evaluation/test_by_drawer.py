"""Readings of slots and the figures that come of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.evaluation import by_drawer
from palimpsest.dlm_core.evaluation.by_drawer import Reading, figures
from palimpsest.dlm_core.kinds import IRRELEVANT, RELEVANT

from ..gathered import loaded
from ..world import small_denoiser


def relevance(canvas: int, gold: str, relevant: float) -> Reading:
    logs = (float(torch.tensor(relevant).log()), float(torch.tensor(1 - relevant).log()))
    is_right = (relevant > 0.5) == (gold == RELEVANT)
    return Reading("from_answers", canvas, "CHOICE", (RELEVANT, IRRELEVANT), gold, logs, is_right)


def copy(gold: str, none: float, best: float, right: bool) -> Reading:
    return Reading("twin", 0, "TEXT", (), gold, (none, best), right)


def test_a_sentence_is_ranked_among_those_of_its_canvas() -> None:
    found = figures([relevance(0, RELEVANT, 0.9), relevance(0, IRRELEVANT, 0.2), relevance(1, IRRELEVANT, 0.95)])
    assert found["average_precision"] == 1.0
    assert found["relevance_auroc"] == 0.5
    assert found["accuracy"] == pytest.approx(200 / 3)


def test_an_answer_is_right_and_silence_is_right_where_there_is_none() -> None:
    rows = [copy("", -3.0, -0.1, True), copy("", -0.1, -3.0, True), copy("[NONE]", -0.1, -3.0, False)]
    found = figures(rows)
    assert found["exact"] == 50.0
    assert found["silent"] == 100.0
    assert found["there_auroc"] == 0.75


def test_the_command_reads_every_drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(tmp_path)
    monkeypatch.setattr(embedded_weights, "load", lambda folder: small_denoiser())
    written = tmp_path / "figures.json"
    names = ["entailment", "twin", "from_answers", "column", "kind"]
    arguments = ["--apart", str(tmp_path), "--count", "3", "--json", str(written), "--rows", str(tmp_path / "r.jsonl")]
    monkeypatch.setattr(sys, "argv", ["by_drawer", *arguments, "--only", *names])
    by_drawer.main()
    assert set(json.loads(written.read_text())) == set(names)
    kinds = {json.loads(line)["kind"] for line in (tmp_path / "r.jsonl").read_text().splitlines()}
    assert {"CHOICE", "CITE"} <= kinds
