"""A training folder of a few made-up rows."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.training.material import Material

from .gathered import loaded

NAMES = ("Ada Byron", "Karl Benz", "Mary Anning", "Lise Meitner", "Emil Post", "Rosa Parks", "Max Born", "Otto Hahn")


def write(path: Path, rows: list[dict]) -> None:
    opener = lzma.open if path.suffix == ".xz" else gzip.open
    with opener(path, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def sentence(n: int) -> str:
        return f"The engine number {n} was built by {NAMES[n]} in 19{n}5 although it never left the town of Como{n}."

    def context(n: int) -> str:
        return f"{sentence(n)} It weighed {n}40 tons. Many people came to see it before the rain."

    squad = [
        {
            "title": f"T{n % 3}",
            "context": context(n),
            "question": f"Who built engine {n}?",
            "answers": [{"text": NAMES[n]}],
        }
        for n in range(8)
    ]
    fever = [
        {
            "claim": f"{NAMES[n]} built an engine in 19{n}5.",
            "evidence": context(n),
            "label": ("entailment", "not_entailment")[n % 2],
        }
        for n in range(8)
    ]
    feverous = [
        {"claim": sentence(n), "label": "supports", "evidence": [{"title": "T", "text": context(n)}]} for n in range(4)
    ]
    pages = [
        {
            "title": NAMES[n],
            "paragraphs": [
                ["", f"{context(n)} {sentence(n + 1)} There {NAMES[n]} saw it again."],
                ["Later", f"{context(n + 2)} {sentence(n + 3)} {NAMES[n + 2]} was glad. It rained."],
            ],
        }
        for n in range(4)
    ]
    write(tmp_path / "squad_train.jsonl.gz", squad)
    write(tmp_path / "qed_train.jsonl.gz", [{**squad[0], "answers": [NAMES[0]]}])
    write(tmp_path / "fever_pairs.jsonl.gz", fever)
    write(tmp_path / "feverous_pairs.jsonl.gz", feverous)
    write(tmp_path / "wikipedia_pages.jsonl.xz", pages)
    return tmp_path


@pytest.fixture
def same_bits() -> Iterator[None]:
    """Sums are made in one order, whatever else the machine does: for tests of what is promised bit for bit."""
    threads, was = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(was)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """One or two rows of every file that drawers read."""
    return loaded(tmp_path_factory.mktemp("gathered"))
