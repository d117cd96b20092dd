"""The bench of the engine: a case that fails stops no other, and what is measured is on disk before the next begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from palimpsest.dlm_core.evaluation import bench


def embedded() -> bench.Row:
    return {"name": "embedded", "speedup": 4.0, "agreement": 1.0, "tokens": 9}


def broken() -> bench.Row:
    raise MemoryError("too small a device")


def test_each_case_is_written_before_the_next_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, seen = tmp_path / "edit.json", list[Any]()

    def watching() -> bench.Row:
        seen.append(json.loads(out.read_text()))
        return {"name": "last"}

    monkeypatch.setattr(bench, "edit", lambda small: [broken, embedded, watching])
    assert bench.main(["edit", "--small", "--out", str(out)]) == 1
    assert [c["name"] for c in seen[0]["cases"]] == ["broken", "embedded"]
    result = json.loads(out.read_text())
    assert result["cases"][0]["error"] == "MemoryError: too small a device"
    assert (result["speedup"], result["bench"]) == (4.0, "edit")
    assert "speedup: 4.0" in capsys.readouterr().out


def test_no_case_is_begun_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 50.0])
    monkeypatch.setattr(bench.time, "monotonic", lambda: next(clock))
    assert [len(r["cases"]) for r in bench.results("edit", [embedded, broken], 30.0)] == [1]


def test_a_rehearsal_measures() -> None:
    """The bundled model's drift, and an edit of random weights beside the public sampler's way."""
    drifted, edited = bench.drift(True)[0](), bench.edit(True)[-1]()
    assert drifted["by_distance"][0]["drift"] > drifted["by_distance"][-1]["drift"]
    assert edited["rows_computed"] < edited["tokens"]
    assert edited["fewer_multiply_adds"] > 1
