"""The bench as a command at small sizes on the CPU: every kernel and contender measured, and no claim about a GPU."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch

from palimpsest.kernels import bench
from palimpsest.kernels.bench import REHEARSAL, Limits, main, measure, measured
from palimpsest.kernels.bench_cases import KERNELS, OURS, SMALL, Case, Place, Planned, Run, Sizes, cases, prepared

CPU = Place(torch.device("cpu"), torch.float32)
LIMITS = Limits(copy_gigabytes_per_second=100, matmul_teraflops=2)


def test_the_small_bench_measures_every_kernel_beside_its_rivals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.jsonl"
    assert main(["--small", "--device", "cpu", "--out", str(out)]) == 0
    table = capsys.readouterr().out
    assert REHEARSAL in table
    facts, *found = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert facts["is_rehearsal"]
    assert facts["note"] == REHEARSAL
    assert facts["copy_gigabytes_per_second"] > 0
    assert {m["kernel"].split()[0] for m in found} == set(KERNELS)
    assert {m["shape"] for m in found} == {shape.name for shape in SMALL.shapes}
    assert {m["contender"] for m in found if m["kernel"].startswith("attention")} == {OURS, "eager", "sdpa"}
    assert {m["context"] for m in found if m["kernel"] == "kv_commit"} == {0, *SMALL.contexts}
    for m in found:
        assert m["error"] == ""
        assert m["milliseconds"] > 0
        assert m["fraction_of_limit"] > 0
        assert m["peak_bytes"] is None
    assert len(table.splitlines()) == len(found) + 3


def test_one_kernel_alone(tmp_path: Path) -> None:
    out = tmp_path / "bench.jsonl"
    main(["--small", "--device", "cpu", "--kernel", "kv_commit", "--out", str(out)])
    _, *rows = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert {m["kernel"] for m in rows} == {"kv_commit"}


def test_the_full_bench_has_the_sizes_that_are_asked_for() -> None:
    assert sorted(Sizes().rows) == [16, 64, 128, 256]
    assert sorted(Sizes().contexts) == [1024, 4096, 8192, 32_768]
    assert {shape.name.split()[0] for shape in Sizes().shapes} == {
        "LLaDA-8B",
        "iLLaDA-8B",
        "Dream-7B",
        "DiffusionGemma",
    }


def test_every_kernel_and_shape_has_its_turn_before_any_has_its_second() -> None:
    planned = list(cases(CPU, Sizes(), tuple(KERNELS)))
    first = [(p.kernel, p.shape) for p in planned[: len(KERNELS) * len(Sizes().shapes)]]
    assert len(set(first)) == len(first)
    assert len(planned) == 5 * (4 * 4 * 3 + 4 * 5 + 4 + 1)


def test_the_limit_is_the_slower_of_moving_and_computing() -> None:
    assert LIMITS.least_seconds(num_bytes=10**9, flops=10**9) == pytest.approx(0.01)
    assert LIMITS.least_seconds(num_bytes=10**6, flops=10**12) == pytest.approx(0.5)


def failing() -> None:
    raise RuntimeError("out of memory\nsecond line")


def case(**runs: Run) -> Case:
    return Case("unmask", "small", 1, 0, 8, 8, runs)


def test_what_does_not_run_or_cannot_be_made_is_a_line_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    eager, ours = measure(case(eager=failing, ours=int), CPU, SMALL, LIMITS)
    assert ours.milliseconds is not None
    assert (eager.milliseconds, eager.error) == (None, "not measured, RuntimeError: out of memory")
    whole = Planned("unmask", "small", lambda: case(ours=int))
    broken = Planned("unmask", "small", lambda: case(ours=prepared(lambda: missing())))
    too_large = Planned("unmask", "small", missing)
    rows = list(measured([too_large, broken, whole], CPU, SMALL, LIMITS, time.monotonic() + 60))
    assert [r.error for r in rows] == ["not made, KeyError: 'gone'", "not measured, KeyError: 'gone'", ""]
    for planned, code in (([whole], 0), ([broken, whole], 1)):
        monkeypatch.setattr(bench, "cases", lambda *_, planned=planned: planned)
        assert main(["--small", "--device", "cpu"]) == code
    assert "KeyError: 'gone'" in capsys.readouterr().out


def missing() -> Case:
    raise KeyError("gone")


def test_nothing_is_begun_when_the_time_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.jsonl"
    assert main(["--small", "--device", "cpu", "--seconds", "1e-6", "--out", str(out)]) == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1
    assert "what is not above was not measured" in capsys.readouterr().out
