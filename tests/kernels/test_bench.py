"""The bench as a command at small sizes on the CPU: every kernel and contender measured, and no claim about a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from palimpsest.kernels.bench import KERNELS, OURS, REHEARSAL, SMALL, Case, Limits, Place, Sizes, main, measure

CPU = Place(torch.device("cpu"), torch.float32)


def test_the_small_bench_measures_every_kernel_beside_its_rivals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    assert main(["--small", "--device", "cpu", "--json", str(out)]) == 0
    table = capsys.readouterr().out
    assert REHEARSAL in table
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["is_rehearsal"]
    assert report["note"] == REHEARSAL
    assert report["copy_gigabytes_per_second"] > 0
    found = report["measurements"]
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
    out = tmp_path / "bench.json"
    main(["--small", "--device", "cpu", "--kernel", "kv_commit", "--json", str(out)])
    assert {m["kernel"] for m in json.loads(out.read_text(encoding="utf-8"))["measurements"]} == {"kv_commit"}


def test_the_full_bench_has_the_sizes_that_are_asked_for() -> None:
    assert Sizes().rows == (16, 64, 128, 256)
    assert min(Sizes().contexts) == 1024
    assert max(Sizes().contexts) == 32_768
    assert {shape.name.split()[0] for shape in Sizes().shapes} == {
        "LLaDA-8B",
        "iLLaDA-8B",
        "Dream-7B",
        "DiffusionGemma",
    }


def test_the_limit_is_the_slower_of_moving_and_computing() -> None:
    limits = Limits(copy_gigabytes_per_second=100, matmul_teraflops=2)
    assert limits.least_seconds(num_bytes=10**9, flops=10**9) == pytest.approx(0.01)
    assert limits.least_seconds(num_bytes=10**6, flops=10**12) == pytest.approx(0.5)


def failing() -> None:
    raise RuntimeError("out of memory\nsecond line")


def test_a_rival_that_does_not_run_is_a_line_and_ours_stops_the_bench() -> None:
    limits = Limits(100, 2)
    case = Case("unmask", "small", 1, 0, 8, 8, {OURS: int, "eager": failing})
    ours, eager = measure(case, CPU, SMALL, limits)
    assert ours.milliseconds is not None
    assert (eager.milliseconds, eager.error) == (None, "RuntimeError: out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        list(measure(Case("unmask", "small", 1, 0, 8, 8, {OURS: failing}), CPU, SMALL, limits))
