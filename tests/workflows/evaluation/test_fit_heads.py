"""What a heading weighs, on made-up pages whose headings stand in their sections."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.workflows.calibration import report_weights
from palimpsest.workflows.evaluation import fit_heads
from palimpsest.workflows.evaluation.fit_heads import Told, measured, pages, told
from palimpsest.workflows.reading import SelectingReader

HEADINGS = ("Salt cargo", "North wind", "Grain quay")


def page(number: int) -> dict[str, object]:
    lines = [
        [
            h,
            f"The {h.lower()} of lake {number} is known to all people. Old {h.lower()} was seen by many there in year {n}.",
        ]
        for h in HEADINGS
        for n in (1, 2)
    ]
    return {
        "title": f"Lake {number}",
        "paragraphs": [*lines, ["History", "Nothing is known of the years before that one."]],
    }


def written(folder: Path, count: int) -> Path:
    with lzma.open(folder / "wikipedia_pages.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(page(n)) + "\n" for n in range(count))
    return folder


def test_pages_have_sections_enough_whose_headings_say_something(tmp_path: Path) -> None:
    found = list(pages(written(tmp_path, 4)))
    assert {p.title for p in found} == {f"Lake {n}" for n in range(4)}
    for held in found:
        assert {heading for heading, _ in held.sections} == set(HEADINGS)
        assert all(len(s) >= fit_heads.SHORTEST for _, own in held.sections for s in own)
    assert list(pages(written(tmp_path, fit_heads.COMMON + 1))) == []  # headings of every page say nothing


def test_phrases_are_held_against_the_heading_that_people_gave(tmp_path: Path) -> None:
    (held,) = pages(written(tmp_path, 1))
    found = list(told(held, SelectingReader(HashEmbedder(), report_weights())))
    assert len(found) == len(HEADINGS)
    for section in found:
        assert section.seen.shape[1] == 5
        assert section.right.max(axis=0) == pytest.approx([1.0, 1.0], abs=1e-5)


def test_what_is_measured_is_the_phrase_that_weighs_most() -> None:
    seen = np.array([[0.5, 0.4, 0.0, 0.0, 0.9], [0.6, 0.6, 0.0, 0.0, 0.5], [0.3, 0.0, 1.0, 0.0, 0.5]], dtype=np.float32)
    right = np.array([[0.2, 0.0], [0.4, 0.5], [1.0, 1.0]], dtype=np.float32)
    settings = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    found = [measured([Told(seen, right)], *setting) for setting in settings]
    assert [cosine for cosine, _ in found] == pytest.approx([0.4, 0.2, 1.0, 1.0], abs=1e-6)
    assert [share for _, share in found] == [1.0, 0.0, 1.0, 1.0]
