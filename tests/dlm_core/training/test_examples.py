"""The format of training examples, the builder, and what may never be in a training."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from palimpsest.dlm_core.kinds import VERDICT_SLOT, MaskKind, SlotSpec
from palimpsest.dlm_core.training import build_examples as build
from palimpsest.dlm_core.training.corpus import MIX, SOURCES, Corpus
from palimpsest.dlm_core.training.examples import Example, Target, read_examples, write_examples
from palimpsest.dlm_core.training.held_out import Held, fingerprint

from ..conftest import NAMES, write

EXAMPLE = Example(
    ("Built in ", SlotSpec(MaskKind.NUMBER), " — où?"),
    ("It was built in 1905.", "Nothing."),
    (
        SlotSpec(MaskKind.OUTLINE),
        ": built in ",
        SlotSpec(MaskKind.NUMBER, max_length=4, after=(0,), required=True),
        VERDICT_SLOT,
    ),
    (Target(), Target(spans=((0, 16, 20),), now="1903"), Target(words="[SUP]")),
    "statement",
    "wikipedia_pages",
)


def test_an_example_is_the_same_after_a_file(tmp_path: Path) -> None:
    write_examples(tmp_path / "e.jsonl.gz", [EXAMPLE, EXAMPLE])
    assert list(read_examples(tmp_path / "e.jsonl.gz")) == [EXAMPLE, EXAMPLE]


def test_the_words_of_a_slot() -> None:
    assert [EXAMPLE.words(n) for n in range(3)] == ["", "1905", "[SUP]"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no example"),
        ('{"task": "x"}', "no example"),
        ('{"task": "x", "question": [], "passages": [], "draft": [{"kind": "NAME"}], "targets": [{}]}', "no example"),
        ('{"task": "x", "question": [], "passages": [], "draft": [{"kind": "TEXT"}], "targets": []}', "every slot"),
    ],
)
def test_a_broken_line_is_refused(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Example.from_json(line)


def test_every_drawer_survives_the_format(folder: Path) -> None:
    corpus, rng = Corpus.load(folder), random.Random(0)
    assert set(MIX) == set(SOURCES)
    assert sum(MIX.values()) == pytest.approx(1)
    for name in MIX:
        example = getattr(corpus, name)(rng)
        assert Example.from_json(example.to_json()) == example


def test_a_changed_value_is_stale_in_the_draft_and_new_in_the_evidence(folder: Path) -> None:
    corpus, rng = Corpus.load(folder), random.Random(2)
    changed = 0
    for _ in range(100):
        example = corpus.statement(rng)
        for number, target in enumerate(example.targets):
            if target.now:
                changed += 1
                assert example.words(number) != target.now
                assert all(target.now not in text for text in example.passages)
    assert changed > 20


def test_an_outline_comes_before_what_waits_for_it(folder: Path) -> None:
    corpus, rng = Corpus.load(folder), random.Random(3)
    example = corpus.outline(rng)
    first, *others = example.slots
    assert first.kind is MaskKind.OUTLINE
    assert all(spec.after == (0,) for spec in others)
    assert example.passages[example.targets[0].spans[0][0]].count(example.words(0)) > 1


def test_a_fingerprint_sees_letters_and_figures_only() -> None:
    assert fingerprint("Who  was it?") == fingerprint("who was it")
    assert fingerprint("Who was it in 1905?") != fingerprint("Who was it in 1906?")


@pytest.fixture
def evaluation(tmp_path: Path, folder: Path) -> Path:
    """Questions, a claim and a paragraph that stand in the training folder too, written a little otherwise."""
    held = tmp_path / "eval"
    held.mkdir()
    whole = Corpus.load(folder)
    write(held / "a_dev.jsonl.gz", [{"question": "who built  engine 3 ?", "context": "Something else entirely."}])
    write(held / "b_dev.jsonl.gz", [{"claim": f"{NAMES[4]} built an engine in 1945", "label": "SUPPORTS"}])
    paragraph = whole.wiki[0].paragraphs[0]
    write(held / "c_corpus.jsonl.gz", [{"title": "x", "sentences": [paragraph[:50], paragraph[50:]]}])
    return held


def test_no_evaluation_set_enters_a_training(folder: Path, evaluation: Path) -> None:
    held, whole = Held.of(evaluation), Corpus.load(folder)
    corpus = whole.without(held)
    assert (len(whole.squad) - len(corpus.squad), len(whole.fever) - len(corpus.fever)) == (1, 1)
    assert whole.wiki[0].paragraphs[0] not in [p for page in corpus.wiki for p in page.paragraphs]
    rng = random.Random(0)
    for _ in range(400):
        example = corpus.draw(rng)
        texts = [*example.passages, "".join(p if isinstance(p, str) else "" for p in example.question)]
        assert not any(map(held, texts)), example


def test_the_builder_writes_what_it_counts(
    folder: Path, evaluation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "canvases.jsonl.gz"
    arguments = ["build", "--data", folder, "--never", evaluation, "--out", out, "--count", 60, "--held-out", 1]
    monkeypatch.setattr(sys, "argv", [str(a) for a in arguments])
    build.main()
    first = out.read_bytes(), list(read_examples(out))
    build.main()
    assert list(read_examples(out)) == first[1]
    card = (tmp_path / "canvases.card.md").read_text()
    assert card == capsys.readouterr().out.split("\n\n", 1)[0] + "\n" or "60 examples" in card
    rows = [line.split("|")[1:4] for line in card.splitlines() if line.startswith("| ") and "task" not in line]
    assert sum(int(n) for _, _, n in rows) == len(first[1]) == 60
    assert "CC BY-SA" in card
    assert "1 questions, 1 claims" in card


def test_a_folder_without_evaluation_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--never"):
        Held.of(tmp_path)
