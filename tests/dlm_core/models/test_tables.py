"""What loading the embedded model costs a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from palimpsest.dlm_core.models.transformer import embedding

LOADED = """
import sys, torch
from palimpsest.dlm_core.denoisers import embedded_weights as weights
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
before = megabytes()
weights.load()
print(megabytes() - before, "sympy" in sys.modules)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_takes_under_200_megabytes_and_none_of_torchs_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=120, check=True)
    size, compiler = done.stdout.split()
    assert float(size) < 200
    assert compiler == "False"


def test_a_table_is_drawn_as_torch_draws_it_where_there_is_memory() -> None:
    torch.manual_seed(0)
    ours = embedding(5, 3)
    torch.manual_seed(0)
    assert torch.equal(ours.weight, torch.nn.Embedding(5, 3).weight)
    with torch.device("meta"):
        assert embedding(5, 3).weight.is_meta
