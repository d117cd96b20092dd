"""Vectors of sentences are kept from one run to the next, never stale, and a file that cannot be used costs only time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from palimpsest.retrieval.embed import HashEmbedder, Vectors
from palimpsest.retrieval.folder import SENTENCES
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.remembered import Remembered

TEXTS = ["The barge carries salt.", "Bread rises overnight.", "The barge carries no salt."]


class Counting(HashEmbedder):
    """Remembers what it was asked for."""

    def __init__(self, name: str = "counting"):
        super().__init__(16)
        self.id, self.asked = name, []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return super().embed(texts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / SENTENCES


def asked(path: Path, texts: Sequence[str], name: str = "counting", most: int = 100) -> list[str]:
    """What a run has to embed; its vectors must be those of the embedder in any case."""
    embedder = Counting(name)
    run = Remembered(embedder, path, most)
    assert np.array_equal(run.embed(texts), HashEmbedder(16).embed(texts))
    run.close()
    return embedder.asked


def test_the_next_run_embeds_only_what_is_new(path: Path) -> None:
    assert asked(path, [*TEXTS[:2], TEXTS[0]]) == TEXTS[:2]
    assert asked(path, [TEXTS[2], *TEXTS[:2]]) == [TEXTS[2]]
    assert asked(path, TEXTS) == []
    assert Remembered(Counting(), path).embed([]).shape == (0, 16)


def test_a_sentence_that_was_changed_and_another_embedder_find_nothing_old(path: Path) -> None:
    asked(path, TEXTS)
    assert asked(path, [TEXTS[0] + " "]) == [TEXTS[0] + " "]
    assert asked(path, TEXTS, name="other") == TEXTS


def test_what_was_kept_first_goes_first(path: Path) -> None:
    asked(path, TEXTS, most=2)
    assert asked(path, TEXTS, most=2) == TEXTS[:1]


@pytest.mark.parametrize("harm", ["no database", "", "another format", "rows that are no vectors", "a folder"])
def test_a_file_that_is_not_whole_is_done_without_and_begun_again(path: Path, harm: str) -> None:
    if harm == "a folder":
        path.mkdir()
    elif harm in ("no database", ""):
        path.write_text(harm)
    else:
        asked(path, TEXTS)
        connection = sqlite3.connect(path)
        connection.execute(
            "PRAGMA user_version = 7" if harm == "another format" else "UPDATE vectors SET vector = zeroblob(64)"
        )
        connection.commit()
        connection.close()
    assert asked(path, TEXTS) == TEXTS
    again = asked(path, TEXTS)
    if harm == "no database":
        assert asked(path, TEXTS) == []  # the file that was none is gone with the first, begun by the second
    elif harm != "a folder":
        assert again == []


def test_a_file_that_another_holds_is_waited_for_no_longer_than_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(path, TEXTS[:1])
    monkeypatch.setattr("palimpsest.retrieval.remembered.WAIT_SECONDS", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert asked(path, TEXTS) == TEXTS[1:]
    other.execute("ROLLBACK")
    other.close()
    assert asked(path, TEXTS) == TEXTS[1:], "it was not written, and the file is well"


def test_runs_beside_each_other_share_the_file(path: Path) -> None:
    many = [f"Sentence {n} of a long text." for n in range(300)]
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda n: asked(path, many[n : n + 200], most=1000), range(0, 100, 10)))) == 10
    assert asked(path, many[:290], most=1000) == []


def test_an_index_whose_truth_went_is_still_one_beside_the_sentences(path: Path) -> None:
    asked(path, TEXTS)
    Index.open(path.parent, HashEmbedder(16)).close()


def test_words_are_those_of_the_embedder_and_are_not_kept(path: Path) -> None:
    run = Remembered(Counting(), path)
    (found,) = run.words([TEXTS[0]])
    assert [TEXTS[0][a:b] for a, b in found.places] == ["The", "barge", "carries", "salt"]
    assert not path.exists()
