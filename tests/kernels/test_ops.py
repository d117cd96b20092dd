"""The one door: nothing heavy at import, the reference where there is no NVIDIA GPU, a sentence for what does not fit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from palimpsest.kernels import ops
from palimpsest.kernels.words import Allowed

HIDDEN, WEIGHT = torch.randn(4, 8), torch.randn(30, 8)
TARGET = torch.tensor([1, 2, 3, 29])


def test_nothing_is_imported_before_it_is_called() -> None:
    code = "import sys, palimpsest.kernels.ops; print([m for m in sys.modules if 'palimpsest.kernels.' in m or m == 'triton'])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert "triton'" not in run.stdout
    assert "reference" not in run.stdout


def test_cpu_tensors_go_to_the_reference_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    assert not ops.takes_triton(HIDDEN)
    ops.unmask(HIDDEN, WEIGHT)
    ops.masked_loss(HIDDEN, WEIGHT, TARGET)
    assert not recwarn.list


def test_rocm_calls_its_devices_cuda_and_is_given_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    ops._has_triton.cache_clear()
    monkeypatch.setattr(torch.version, "hip", "6.4")
    try:
        assert not ops._has_triton()
    finally:
        ops._has_triton.cache_clear()


def test_a_preference_ends_with_its_block_and_has_two_names() -> None:
    with ops.prefer("triton"):
        assert ops.takes_triton(HIDDEN)
        with ops.prefer("reference"):
            assert not ops.takes_triton(HIDDEN)
        assert ops.takes_triton(HIDDEN)
    assert not ops.takes_triton(HIDDEN)
    with pytest.raises(ValueError, match="no kernels named 'cutlass'"), ops.prefer("cutlass"):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("path", ["triton", "reference"])
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ops.unmask(HIDDEN.long(), WEIGHT), "hidden is torch.int64; give float32, float16 or bfloat16"),
        (lambda: ops.unmask(HIDDEN, WEIGHT.half()), "weight is torch.float16 on cpu, others are torch.float32 on cpu"),
        (lambda: ops.unmask(HIDDEN[:, :5], WEIGHT), r"hidden \[4, 5\] and weight \[30, 8\] do not fit"),
        (lambda: ops.unmask(HIDDEN, WEIGHT, bias=torch.zeros(8)), r"bias is \[8\] for 30 words"),
        (lambda: ops.unmask(HIDDEN, WEIGHT, allowed=Allowed.of([None])), "4 rows are asked and 1 have sets of words"),
        (
            lambda: ops.unmask(HIDDEN, WEIGHT, allowed=Allowed.of([[30], None, None, None])),
            "word 30 is allowed and there are 30",
        ),
        (lambda: ops.unmask(HIDDEN, WEIGHT, allowed=Allowed.of([[-1], None, None, None])), "word -1 is allowed"),
        (lambda: ops.unmask(HIDDEN, WEIGHT, rows=torch.tensor([4])), "row 4 is asked and there are 4"),
        (lambda: ops.unmask(HIDDEN, WEIGHT, rows=torch.tensor([1.0])), "rows are torch.float32; give int64"),
        (lambda: ops.unmask(HIDDEN, WEIGHT, temperature=-1.0), "must not be negative"),
        (lambda: ops.masked_loss(HIDDEN, WEIGHT, TARGET[:2]), r"target is \[2\] for 4 rows"),
        (lambda: ops.masked_loss(HIDDEN, WEIGHT, TARGET.int()), "target is torch.int32; give int64"),
        (lambda: ops.masked_loss(HIDDEN, WEIGHT, TARGET, where=TARGET), "where is torch.int64"),
        (lambda: ops.masked_loss(HIDDEN, WEIGHT, TARGET, row_weight=torch.ones(3)), r"row_weight is \[3\]"),
        (lambda: ops.masked_loss(HIDDEN, WEIGHT, TARGET, allowed=Allowed.of([None])), "4 rows have targets and 1 sets"),
    ],
)
def test_what_does_not_fit_is_one_sentence(path: ops.Path, call: Callable[[], Any], sentence: str) -> None:
    with ops.prefer(path), pytest.raises(ValueError, match=sentence):
        call()
