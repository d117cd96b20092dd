"""Whatever is in a file, it is read or named, within its limits. `--hostile 10000` reads so many mutated files and all crafted ones."""

from __future__ import annotations

import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import Limits, load
from palimpsest.retrieval.types import RetrievalError
from tests.retrieval.loaders.hostile import CRAFTED, SOUND, mutated
from tests.retrieval.loaders.makers import write

FEW = 48  # mutated files without the option
TIGHT = Limits(seconds=60.0)
GRACE = 60.0  # seconds beyond the limit: a busy machine is slow to kill a process and to start the next


def read(path: Path) -> str:
    """What became of a file, which is gone then; anything but a document or a sentence that names the file fails."""
    begun = time.monotonic()
    said = _reason(path)
    assert time.monotonic() - begun < TIGHT.seconds + GRACE
    path.unlink()
    assert not said or path.name in said
    return "longer than its time" if "longer than" in said else "named" if said else "read"


def _reason(path: Path) -> str:
    """Why it was not read; "" where it was."""
    try:
        assert load(path, limits=TIGHT).text.strip()
    except RetrievalError as error:
        return str(error)
    return ""


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def test_every_sound_file_is_read(tmp_path: Path) -> None:
    """Else the mutated ones would be refused for what they were before."""
    assert {read(write(tmp_path, f"a{ending}", make())) for ending, make in SOUND.items()} == {"read"}


def test_mutated_files_are_read_or_named(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    chance, before = random.Random(7), memory_mb()
    sound = {ending: make() for ending, make in SOUND.items()}
    endings = [list(sound)[number % len(sound)] for number in range(pytestconfig.getoption("--hostile") or FEW)]
    became = Counter(
        read(write(tmp_path, f"{number}{ending}", mutated(sound[ending], chance)))
        for number, ending in enumerate(endings)
    )
    print(f"{dict(became)}; this process held at most {memory_mb():.0f} MB, {before:.0f} before")
    assert became["longer than its time"] == 0
    assert memory_mb() - before < 500


def test_crafted_files_are_read_or_named(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Some may take all their time; none may take more."""
    names = list(CRAFTED) if pytestconfig.getoption("--hostile") else list(CRAFTED)[::23]
    became: dict[str, tuple[str, float]] = {}
    before = memory_mb()  # of whatever this process did for other tests
    for name in names:
        path, begun = write(tmp_path, name, CRAFTED[name]()), time.monotonic()
        became[name] = (read(path), time.monotonic() - begun)
    slowest = sorted(became.items(), key=lambda item: -item[1][1])[:5]
    print(
        f"{len(names)} crafted: {dict(Counter(what for what, _ in became.values()))}; {memory_mb():.0f} MB; slowest {slowest}"
    )
    assert memory_mb() - before < 500
