"""Questions asked in one process do not make it grow: one model for all of them, and no heap for every thread."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from palimpsest.dlm_core.denoisers.open import shared_denoiser
from palimpsest.workflows import corpus
from palimpsest.workflows.config import Config
from tests.dlm_core.models.checkpoints import write

ASKING = """
import ctypes, json, os, re, sys, tempfile
from pathlib import Path
from palimpsest.agent import writer
from palimpsest.workflows.config import Config
from palimpsest.workflows.research import research

def heaps():
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.fclose.argtypes = [ctypes.c_void_p]
    out = Path("heaps.xml")
    stream = libc.fopen(bytes(out), b"w")
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    return len(re.findall("<heap ", out.read_text()))

loaded, real = [], writer.shared_denoiser
writer.shared_denoiser = lambda name: loaded.append(real(name)) or loaded[-1]
config = Config(docs=(Path("docs"),), out=Path("runs"), index=Path("index"), effort=1)
for name in ("Marisa", "Orta", "Pietro"):
    for event in research(f"What is {name}?", config):
        pass
print(json.dumps({"heaps": heaps(), "questions": len(loaded), "models": len(set(map(id, loaded)))}))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have no heaps for threads")
def test_questions_share_a_model_and_two_heaps(tmp_path: Path) -> None:
    """There was a heap for every thread of every question, up to eight a processor, and a model in each: 4.7 GB after 138 questions."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The Marisa is a barge of Orta. Pietro Canale built it in 1901.\n")
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    environment.pop("MALLOC_ARENA_MAX", None)
    done = subprocess.run(
        [sys.executable, "-c", ASKING], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["heaps"] <= 2
    assert figures["questions"] == 3
    assert figures["models"] == 1


def test_a_model_that_was_written_anew_is_opened_anew(tmp_path: Path) -> None:
    folder = write("llada", tmp_path / "llada")
    first = shared_denoiser(folder)
    assert shared_denoiser(folder) is first
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    assert shared_denoiser(folder) is not first


def test_writers_of_one_model_share_it() -> None:
    """Their seeds are their own."""
    one, other = (corpus.open_model(Config(seed=s)) for s in (1, 2))
    assert one.denoiser is other.denoiser
    assert (one.seed, other.seed) == (1, 2)


def test_there_is_one_embedder() -> None:
    assert corpus.open_embedder() is corpus.open_embedder()
