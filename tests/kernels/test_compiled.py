"""Every kernel compiled ahead of time, no GPU needed: no registers spilt, shared memory within the target's.

The compiler does not work under the interpreter that the other tests run in, so this file is also a program: run by
itself it compiles every job below and prints its figures.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# Bytes of shared memory of one program. Code for sm_80 also runs on cards of its family with 99 KiB, the least of those tiles.
SHARED = {"sm_80": 101_376, "sm_90": 232_448, "gfx942": 65_536}
TYPES = {"bf16": 2, "fp16": 2, "fp32": 4}
HEADS = (32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Job:
    """One kernel at one configuration for one target."""

    target: str
    kernel: str
    dtype: str
    head: int
    packed: int = 16  # query rows x query heads per key head
    heads: int = 1  # key heads
    pairs: int = 0
    is_adjacent: bool = False
    has_rules: bool = True
    is_split: bool = False

    @property
    def name(self) -> str:
        return "-".join(str(value) for value in asdict(self).values())


@dataclass(frozen=True)
class Report:
    """What the compiler says: registers of a thread, bytes of shared memory, registers or bytes spilt."""

    registers: int
    shared: int
    spills: int


ATTEND = [  # type, head size, packed rows, whether rules and caps are compiled in, whether keys are split over programs
    *(("bf16", head, packed, True, False) for head in HEADS for packed in (16, 64, 128)[: 3 if head <= 128 else 2]),
    *(
        ("bf16", head, packed, False, False)
        for head in (128, 512)
        for packed in (16, 64, 128)[: 3 if head <= 128 else 2]
    ),
    *(("bf16", 128, packed, True, True) for packed in (16, 64, 128)),
    *(("bf16", 80, packed, True, False) for packed in (16, 128)),
    *(("fp32", head, 16, True, False) for head in HEADS),
    ("fp16", 128, 64, True, False),
]
PUT = [(32, 128, 64, False), (4, 96, 12, False), (2, 512, 64, False), (32, 128, 64, True), (1, 64, 32, False)]
# Type, rows, whether bias, cap and noise are compiled in.
SCAN = [*(("bf16", rows, r) for rows in (16, 32, 64, 128) for r in (True, False)), ("fp16", 64, True)]
SCAN += [("fp32", rows, True) for rows in (16, 64)]
JOBS = [
    job
    for target in SHARED
    for job in (
        *(Job(target, "attend", d, head, packed, has_rules=r, is_split=s) for d, head, packed, r, s in ATTEND),
        *(Job(target, "merge", "bf16", head, 64) for head in (32, 128, 512)),
        *(Job(target, "put", "bf16", head, 0, n, pairs, a) for n, head, pairs, a in PUT),
        Job(target, "put", "fp32", 128, 0, 32, 64),
        *(Job(target, "scan", d, 0, rows, has_rules=r) for d, rows, r in SCAN),
        *(Job(target, "scan", d, 0, 64, is_adjacent=True) for d in TYPES),  # of an odd width
        *(Job(target, name, d, 0) for name in ("gather", "fold", "slope") for d in ("bf16", "fp32")),
        Job(target, "collect", "fp32", 0),
    )
]


@cache
def reports() -> dict[str, Report]:
    """Every job's report, from one process that compiles for real."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as cache_folder:  # compilers may still write
        environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
        environment |= {"TRITON_CACHE_DIR": cache_folder, "PYTHONPATH": str(ROOT)}
        run = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    return {name: Report(**found) for name, found in json.loads(run.stdout).items()}


@pytest.mark.timeout(
    1800
)  # the first of them compiles for all: two minutes of two idle cores, far more on a busy machine
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_compiles_without_spills_and_within_shared_memory(job: Job) -> None:
    report = reports()[job.name]
    assert report.registers > 0
    assert report.spills == 0
    assert report.shared <= SHARED[job.target]


def test_a_spill_would_be_seen() -> None:
    """Twice the rows that a head of 512 is given do not fit the registers: the reading of the report is not blind."""
    assert reports()["spilling"].spills > 0


def attend_job(job: Job, rows: int | None = None) -> Report:
    from palimpsest.kernels.triton.attention import REGISTERS, attend, configuration
    from palimpsest.kernels.visibility import Visibility

    block = 1 << (job.head - 1).bit_length()
    chosen = configuration(block, TYPES[job.dtype], job.packed, SHARED[job.target])
    constants = {
        "GROUP": 4,
        "HEAD": job.head,
        "BLOCK_M": rows or chosen.rows,
        "BLOCK_N": chosen.keys,
        "BLOCK_D": block,
        "RULE": int(Visibility.EVIDENCE if job.has_rules else Visibility.FULL),
        "HAS_WINDOW": job.has_rules,
        "HAS_SOFTCAP": job.has_rules,
        "IS_SPLIT": job.is_split,
    }
    types = dict.fromkeys(("q", "k", "v"), f"*{job.dtype}") | {"scale": "fp32", "softcap": "fp32", "total": "*fp32"}
    types["out"] = "*fp32" if job.is_split else f"*{job.dtype}"
    return compiled(attend, types, constants, job.target, chosen.warps, chosen.stages, REGISTERS)


def merge_job(job: Job) -> Report:
    from palimpsest.kernels.triton.attention import merge

    constants = {"GROUP": 4, "HEAD": job.head, "BLOCK_M": job.packed, "BLOCK_R": 16, "BLOCK_D": job.head}
    types = {"part": "*fp32", "part_total": "*fp32", "out": f"*{job.dtype}", "total": "*fp32"}
    return compiled(merge, types, constants, job.target, 4, 3)


def put_job(job: Job) -> Report:
    from palimpsest.kernels.triton.kv_commit import configuration, put

    chosen = configuration(job.heads, job.head)
    constants = {
        "HEADS": job.heads,
        "HEAD": job.head,
        "PAIRS": job.pairs,
        "DISTANCE": 1 if job.is_adjacent else job.head // 2,
        "BLOCK_H": chosen.heads,
        "BLOCK_D": 1 << (job.head - 1).bit_length(),
        "BLOCK_P": 1 << (job.pairs - 1).bit_length(),
    }
    types = dict.fromkeys(("k_pool", "v_pool", "k_new", "v_new"), f"*{job.dtype}")
    types |= {"where": "*i64", "rows": "*i64", "cos": "*fp32", "sin": "*fp32"}
    return compiled(put, types, constants, job.target, chosen.warps, 3)


def scan_job(job: Job) -> Report:
    from palimpsest.kernels.triton.unmask import REGISTERS, configuration, scan

    is_even = not job.is_adjacent  # the field of `put` stands for an odd width here
    chosen = configuration(job.packed, TYPES[job.dtype], SHARED[job.target], is_even, not job.has_rules)
    constants = {"BLOCK_M": chosen.rows, "BLOCK_V": chosen.words, "BLOCK_C": chosen.channels, "IS_EVEN": is_even}
    constants |= options(job)
    return compiled(scan, unmask_types(job), constants, job.target, chosen.warps, chosen.stages, REGISTERS)


def gather_job(job: Job) -> Report:
    from palimpsest.kernels.triton.unmask import IDS, gather

    constants = {"BLOCK_I": IDS, "BLOCK_C": 32} | options(job)
    return compiled(gather, unmask_types(job), constants, job.target, 4, 3)


def collect_job(job: Job) -> Report:
    from palimpsest.kernels.triton.unmask import merge

    types = {"part": "*fp32", "rows": "*i64", "token": "*i64", "figures": "*fp32"}
    return compiled(merge, types, {"BLOCK_R": 16}, job.target, 1, 3)


def loss_job(job: Job) -> Report:
    from palimpsest.kernels.triton import masked_loss

    constants = {"HAS_BIAS": True, "HAS_SETS": True, "HAS_SOFTCAP": True, "BLOCK_V": masked_loss.BLOCK}
    types = dict.fromkeys(("logits", "state", "total", "scale"), "*fp32")
    types |= {"bias": f"*{job.dtype}", "out": f"*{job.dtype}", "inside": "*i1", "softcap": "fp32"}
    return compiled(getattr(masked_loss, job.kernel), types, constants, job.target, 4, 3)


def options(job: Job) -> dict[str, Any]:
    return dict.fromkeys(("HAS_BIAS", "HAS_SOFTCAP", "IS_SAMPLED"), job.has_rules)


def unmask_types(job: Job) -> dict[str, str]:
    types = dict.fromkeys(("hidden", "weight", "bias"), f"*{job.dtype}")
    return types | {"rows": "*i64", "part": "*fp32", "temperature": "fp32", "softcap": "fp32"}


def compiled(
    kernel: Any,
    types: dict[str, str],
    constants: dict[str, Any],
    target: str,
    warps: int,
    stages: int,
    registers: int = 0,
) -> Report:
    """Compile as a launch would: int32 tables and strides unless `types` says else, pointers and strides divisible by 16."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else types.get(name, default(name)) for name in names}
    values = {(names.index(name),): value for name, value in constants.items()}
    aligned = [n for n in names if n not in constants and n not in NUMBERS and not types.get(n, "").startswith("fp")]
    hints = {(names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    is_amd = target.startswith("gfx")
    chip = GPUTarget("hip", target, 64) if is_amd else GPUTarget("cuda", int(target.removeprefix("sm_")), 32)
    options = {"num_warps": warps, "num_stages": stages}
    options |= {"maxnreg": registers} if registers and not is_amd else {}
    made = compile(ASTSource(kernel, signature, values, hints), target=chip, options=options)
    registers, spills = amd_report(made.asm["amdgcn"]) if is_amd else nvidia_report(made.asm["ptx"], target)
    return Report(registers, made.metadata.shared, spills)


NUMBERS = {"window", "num_new", "num_rows", "num_words", "width", "per_split", "size", "splits", "start"}


def default(name: str) -> str:
    return "i32" if name in NUMBERS or name.endswith(("_row", "_head")) else "*i32"


def nvidia_report(ptx: str, target: str) -> tuple[int, int]:
    """Registers and spilt bytes as the assembler counts them."""
    import triton

    assembler = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas"
    chip = "sm_90a" if target == "sm_90" else target
    with TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx, encoding="utf-8")
        command = [str(assembler), "-v", f"--gpu-name={chip}", str(source), "-o", str(Path(folder) / "kernel.cubin")]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    used = re.search(r"Used (\d+) registers", report)
    assert used
    return int(used[1]), sum(map(int, re.findall(r"(\d+) bytes spill", report)))


def amd_report(assembly: str) -> tuple[int, int]:
    """Vector registers, and vector and scalar registers spilt, from the metadata of the kernel."""
    found = {name: int(count) for name, count in re.findall(r"\.(vgpr_count|[vs]gpr_spill_count):\s+(\d+)", assembly)}
    return found["vgpr_count"], found["vgpr_spill_count"] + found["sgpr_spill_count"]


COMPILERS = {
    "attend": attend_job,
    "merge": merge_job,
    "put": put_job,
    "scan": scan_job,
    "gather": gather_job,
    "collect": collect_job,
    "fold": loss_job,
    "slope": loss_job,
}


def run_job(job: Job) -> Report:
    return COMPILERS[job.kernel](job)


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        every = {job.name: asdict(report) for job, report in zip(JOBS, pool.map(run_job, JOBS), strict=True)}
    every["spilling"] = asdict(attend_job(Job("sm_90", "attend", "bf16", 512, 64), rows=64))
    print(json.dumps(every))
