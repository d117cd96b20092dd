"""`python -m palimpsest.kernels.bench`: each kernel beside torch eager, torch.compile and the library kernel that exists for it.

Times are medians with the L2 cache emptied before each run; limits are measured in the same run, so that a fraction
compares with what this machine does and not with its data sheet. Without a GPU it is a rehearsal of the command.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TextIO

import torch

from .bench_cases import COMPILED, KERNELS, OURS, SMALL, Case, Place, Planned, Run, Sizes, cases

REHEARSAL = "Rehearsed on the CPU, where every kernel is its torch reference: no figure here speaks of a GPU."


@dataclass(frozen=True)
class Limits:
    """What this machine does, measured in this run."""

    copy_gigabytes_per_second: float
    matmul_teraflops: float

    def least_seconds(self, num_bytes: int, flops: int) -> float:
        """The time below which no kernel can move these bytes and do these operations."""
        return max(num_bytes / self.copy_gigabytes_per_second / 1e9, flops / self.matmul_teraflops / 1e12)


@dataclass(frozen=True)
class Measurement:
    """One contender's time: median milliseconds, rates, fraction of the measured limit, bytes allocated above its inputs."""

    kernel: str
    shape: str
    rows: int
    context: int
    contender: str
    milliseconds: float | None
    gigabytes_per_second: float | None = None
    teraflops: float | None = None
    fraction_of_limit: float | None = None
    peak_bytes: int | None = None  # on a GPU only
    error: str = ""


def main(argv: list[str] | None = None) -> int:
    """Measure and print a table, each row as it is measured; 1 when a kernel of ours did not run."""
    asked = _arguments().parse_args(argv)
    end = time.monotonic() + (asked.seconds or float("inf"))
    sizes = SMALL if asked.small else Sizes()
    device = torch.device(asked.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    place = Place(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    torch.manual_seed(0)
    limits = probe(place, sizes)
    rates = f"copies {limits.copy_gigabytes_per_second:.0f} GB/s, {limits.matmul_teraflops:.2f} TFLOP/s"
    print(f"{describe(place)}: {rates}")
    if not place.is_gpu:
        print(REHEARSAL)
    print(HEADER)
    with _Rows(asked.out) as out:
        out.put(facts(place, limits))
        is_whole = True
        for measurement in measured(
            list(cases(place, sizes, asked.kernel or tuple(KERNELS))), place, sizes, limits, end
        ):
            print(line(measurement), flush=True)
            out.put(asdict(measurement))
            is_whole = is_whole and not (measurement.contender == OURS and measurement.error)
    if time.monotonic() >= end:
        print(f"The {asked.seconds:.0f} seconds are over: what is not above was not measured.")
    return 0 if is_whole else 1


class _Rows:
    """A file of one JSON object a line, each there as soon as it is put; no file at all where no path is given."""

    def __init__(self, path: Path | None):
        self._file: TextIO | None = path.open("w", encoding="utf-8") if path else None

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def put(self, row: dict[str, object]) -> None:
        if self._file:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.kernels.bench", description="Time the kernels.")
    parser.add_argument("--out", type=Path, help="write facts and measurements to this file, one JSON object a line")
    parser.add_argument("--seconds", type=float, help="begin no measurement after so many seconds")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cuda where there is one")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to rehearse the command")
    parser.add_argument("--kernel", action="append", choices=tuple(KERNELS), help="only this one; may be given again")
    return parser


UNCOMPILED_SHARE = 0.6  # of the time goes to what needs no compiling by torch, the rest to what does


def measured(planned: list[Planned], place: Place, sizes: Sizes, limits: Limits, end: float) -> Iterator[Measurement]:
    """Every contender of every case until the monotonic time `end`; those that torch compiles first have the last part of it."""
    start = time.monotonic()
    first_end = start + UNCOMPILED_SHARE * (end - start) if place.is_gpu else end
    for compiled, until in ((False, first_end), (True, end)):
        for one in planned if place.is_gpu or not compiled else []:
            if time.monotonic() >= until:
                break
            try:
                case = one.make()
            except Exception as exc:  # noqa: BLE001  (a case too large for this device must not stop the smaller ones)
                yield Measurement(one.kernel, one.shape, 0, 0, OURS, None, error=f"not made, {_first_line(exc)}")
                continue
            if compiled:
                torch.compiler.reset()  # after eight shapes of one function torch.compile would quietly run it eager
            runs = {name: run for name, run in case.runs.items() if (name in COMPILED) == compiled}
            yield from measure(replace(case, runs=runs), place, sizes, limits)


def describe(place: Place) -> str:
    """The device in words, with the version of torch."""
    name = torch.cuda.get_device_name(place.device) if place.is_gpu else "CPU"
    return f"{name}, torch {torch.__version__}"


def facts(place: Place, limits: Limits) -> dict[str, object]:
    """What the measurements were made on, as plain JSON."""
    return {
        "device": describe(place),
        "dtype": str(place.dtype).removeprefix("torch."),
        "is_rehearsal": not place.is_gpu,
        "note": "" if place.is_gpu else REHEARSAL,
        **asdict(limits),
    }


COLUMNS = (
    f"{'kernel':<24}{'shape':<23}{'rows':>5}{'context':>8}",
    f"{'ms':>9}{'GB/s':>8}{'TFLOP/s':>9}{'limit':>7}{'MiB':>9}",
)
HEADER = f"{COLUMNS[0]}  {'contender':<10}{COLUMNS[1]}"


def line(m: Measurement) -> str:
    """A row of the table."""
    start = f"{m.kernel:<24}{m.shape:<23}{m.rows:>5}{m.context:>8}  {m.contender:<10}"
    if m.milliseconds is None:
        return f"{start} {m.error}"
    memory = "-" if m.peak_bytes is None else f"{m.peak_bytes / 2**20:.1f}"
    rates = f"{m.gigabytes_per_second:>8.0f}{m.teraflops:>9.2f}{m.fraction_of_limit:>7.0%}"
    return f"{start}{m.milliseconds:>9.3f}{rates}{memory:>9}"


def probe(place: Place, sizes: Sizes) -> Limits:
    """Copy bandwidth (bytes read and written) and the rate of a square matrix product."""
    source = torch.empty(sizes.probe, dtype=torch.uint8, device=place.device)
    target = torch.empty_like(source)
    copying = seconds(lambda: target.copy_(source), place, sizes.repeats)
    square = place.random(sizes.matrix, sizes.matrix)
    product = seconds(lambda: square @ square, place, sizes.repeats)
    return Limits(2 * sizes.probe / copying / 1e9, 2 * sizes.matrix**3 / product / 1e12)


def seconds(run: Run, place: Place, repeats: int) -> float:
    """The median time of a run."""
    for _ in range(3 if place.is_gpu else 1):
        run()
    return median((_gpu_seconds if place.is_gpu else _cpu_seconds)(run, repeats))


def _gpu_seconds(run: Run, repeats: int) -> list[float]:
    l2 = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    spans = []
    for _ in range(repeats):
        l2.zero_()
        span = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        span[0].record()
        run()
        span[1].record()
        spans.append(span)
    torch.cuda.synchronize()
    return [first.elapsed_time(last) / 1e3 for first, last in spans]


def _cpu_seconds(run: Run, repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def peak_bytes(run: Run, place: Place) -> int | None:
    """The most memory that a run holds above what was held before it, on a GPU."""
    if not place.is_gpu:
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:140]


def measure(case: Case, place: Place, sizes: Sizes, limits: Limits) -> Iterator[Measurement]:
    """Each contender of a case; one that does not run, for want of memory or support, is a line that says so, and stops no other."""
    for contender, run in case.runs.items():
        place_of = (case.kernel, case.shape, case.rows, case.context, contender)
        try:
            taken = seconds(run, place, sizes.repeats)
            memory = peak_bytes(run, place)
        except Exception as exc:  # noqa: BLE001  (compilers raise what they like; it is this row's to say, and no other's)
            yield Measurement(*place_of, None, error=f"not measured, {_first_line(exc)}")
            continue
        rates = case.num_bytes / taken / 1e9, case.flops / taken / 1e12
        yield Measurement(
            *place_of, taken * 1e3, *rates, limits.least_seconds(case.num_bytes, case.flops) / taken, memory
        )


if __name__ == "__main__":
    raise SystemExit(main())
