"""Data, loss, trainer and weights on a training folder of a few made-up rows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.canvas.tokenizer import CONTROL, DELETE, NONE
from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.kinds import VERDICTS, MaskKind
from palimpsest.dlm_core.models.embedded import Batch, EmbeddedModel, copyable
from palimpsest.dlm_core.training import schedule
from palimpsest.dlm_core.training import train_embedded as trainer
from palimpsest.dlm_core.training.corpus import Corpus, find_all, window
from palimpsest.dlm_core.training.losses import loss, slots_of, total
from palimpsest.dlm_core.training.masking import Supervision, masked, realise
from palimpsest.dlm_core.training.minilm import package_folder
from palimpsest.dlm_core.training.train_embedded import TrainConfig, train

from ..world import CITE, SMALL, TEXT, sheet, small_model, tokenizer

ROWS_OF = {name: CONTROL[name] for name in VERDICTS}


def test_find_all_takes_whole_words() -> None:
    assert find_all("cat catalog a cat.", "cat") == [(0, 3), (14, 17)]


def test_a_window_holds_its_span() -> None:
    text, rng = "word " * 300 + "needle " + "word " * 300, random.Random(0)
    at = text.index("needle")
    for _ in range(20):
        cut = window(text, at, at + 6, 200, rng)
        assert "needle" in cut
        assert len(cut) < 230


def test_every_example_has_targets_that_can_be_met(folder: Path) -> None:
    corpus, rng = Corpus.load(folder), random.Random(1)
    tasks: Counter[str] = Counter()
    for _ in range(300):
        example = corpus.draw(rng)
        tasks[example.task] += 1
        canvas, supervised = realise(masked(example), tokenizer(), 16)
        assert supervised, example
        for target in supervised:
            slot = canvas.slots[target.slot]
            if slot.spec.kind is MaskKind.CHOICE:
                assert target.rows[0] in ROWS_OF.values()
            for first, last in target.spans:
                segment = canvas.segments[int(canvas.block[first])]
                if slot.spec.kind is MaskKind.CITE:
                    assert first == last == segment.start
                    continue
                words = segment.text[int(canvas.characters[first, 0]) : int(canvas.characters[last, 1])]
                golds = {example.passages[i][s:e] for i, s, e in example.targets[target.slot].spans}
                assert words in golds
    assert set(tasks) == {"question", "none", "stance", "repair", "logic", "statement", "outline", "bridge"}


def test_the_same_seed_draws_the_same_batches(folder: Path) -> None:
    corpus = Corpus.load(folder)
    one, two = (schedule.batches(corpus.draw, 3, 7, 2000) for _ in range(2))
    assert one == two
    assert one != schedule.batches(corpus.draw, 4, 7, 2000)


def test_held_out_titles_are_gone_from_training(folder: Path) -> None:
    corpus = Corpus.load(folder)
    held = corpus.hold_out(1)
    assert held.squad
    assert not {r["title"] for r in held.squad} & {r["title"] for r in corpus.squad}


def test_loss_equals_a_computation_by_hand() -> None:
    model, canvas = small_model(), sheet(passages=("It runs at 12 knots.",), draft=(TEXT, CITE))
    evidence, slot = canvas.segments[1], canvas.slots[0]
    gold = (evidence.start + 3, evidence.start + 4)
    spans = Supervision(0, (gold,), ())
    batch = Batch.of([canvas])
    with torch.inference_mode():
        parts = loss(model, batch, slots_of([canvas], [[spans]], ROWS_OF))
        hidden = model(batch)[0]
        start, end = model.span_scores(hidden[slot.start][None], hidden[None])
        places = copyable(batch, markers=False)[0]
        scores = {
            (i, j): float(start[0, i] + end[0, j])
            for i in range(len(canvas))
            for j in range(i, min(i + 16, len(canvas)))
            if places[i] >= 0 and places[j] >= 0
        }
        norm = torch.tensor(list(scores.values())).logsumexp(0)
        assert float(parts["span"]) == pytest.approx(float(norm) - scores[gold], abs=1e-4)
        gate = model.copy_share(hidden[slot.start][None])[0]
        assert float(parts["gate"]) == pytest.approx(-float(torch.nn.functional.logsigmoid(gate)), abs=1e-5)


def test_deletions_of_a_slot_weigh_as_one_token() -> None:
    model, canvas = small_model(), sheet(draft=(TEXT,))
    batch, slot = Batch.of([canvas]), canvas.slots[0]
    with torch.inference_mode():
        parts = loss(model, batch, slots_of([canvas], [[Supervision(0, (), (NONE,))]], ROWS_OF))
        logs = model.vocabulary(model(batch)[0, slot.start : slot.end]).log_softmax(-1)
    by_hand = -(logs[0, NONE] + logs[1:, DELETE].mean()) / 2
    assert float(parts["words"]) == pytest.approx(float(by_hand), abs=1e-4)


def test_gradients_reach_every_head(folder: Path) -> None:
    torch.manual_seed(0)
    corpus, model = Corpus.load(folder), EmbeddedModel(SMALL)
    pairs = [realise(masked(corpus.draw(random.Random(n))), tokenizer(), 16) for n in range(40)]
    canvases, targets = [c for c, _ in pairs], [t for _, t in pairs]
    total(loss(model, Batch.of(canvases), slots_of(canvases, targets, ROWS_OF))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.usefixtures("same_bits")
def test_a_killed_training_goes_on_where_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learning rate follows the clock, so the clock is stopped here: then killed and resumed equals undisturbed."""
    monkeypatch.setattr(trainer, "EmbeddedConfig", lambda: SMALL)
    monkeypatch.setattr(trainer, "start_from_minilm", lambda model, tokens, seed: None)
    monkeypatch.setattr(schedule, "POOL", 24)
    monkeypatch.setattr(trainer.time, "monotonic", lambda: 0.0)
    plan = TrainConfig(folder, tmp_path / "whole", tokens=1500, held_out=1, steps=8, save_seconds=-1.0)
    list(train(plan))
    broken = replace(plan, out=tmp_path / "broken")
    steps_left = [3]

    def killed(parts: dict[str, torch.Tensor]) -> torch.Tensor:
        if not steps_left[0]:
            raise KeyboardInterrupt
        steps_left[0] -= 1
        return total(parts)

    monkeypatch.setattr(trainer, "total", killed)
    with pytest.raises(KeyboardInterrupt):
        list(train(broken))
    monkeypatch.setattr(trainer, "total", total)
    list(train(broken))
    whole, resumed = (torch.load(tmp_path / n / "checkpoint.pt", weights_only=True) for n in ("whole", "broken"))
    assert whole["progress"] == resumed["progress"]
    assert whole["progress"]["step"] == 8
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, resumed["model"][name]), name


def test_stored_weights_come_back_nearly_equal(tmp_path: Path) -> None:
    model = small_model()
    embedded_weights.save(model, package_folder() / "tokenizer.json", tmp_path / "w", {"licence": "none"})
    loaded = embedded_weights.load(tmp_path / "w").model
    for (name, ours), theirs in zip(model.state_dict().items(), loaded.state_dict().values(), strict=True):
        assert (ours - theirs).abs().max() <= ours.abs().max() / 120 + 1e-3, name


def test_a_flipped_byte_and_a_missing_file_are_found(tmp_path: Path) -> None:
    embedded_weights.save(small_model(), package_folder() / "tokenizer.json", tmp_path, {})
    shard = next(tmp_path.glob("model-*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(embedded_weights.WeightsError, match="checksum"):
        embedded_weights.load(tmp_path)
    shard.unlink()
    with pytest.raises(embedded_weights.WeightsError, match="is missing"):
        embedded_weights.load(tmp_path)


@pytest.mark.parametrize("spoil", [b"\xff\xfe{", b"[]"])
def test_a_spoilt_config_is_named_as_such(tmp_path: Path, spoil: bytes) -> None:
    embedded_weights.save(small_model(), package_folder() / "tokenizer.json", tmp_path, {})
    (tmp_path / "config.json").write_bytes(spoil)
    with pytest.raises(embedded_weights.WeightsError, match="damaged"):
        embedded_weights.load(tmp_path)


def test_a_training_goes_on_from_the_weights_in_the_repository(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but us has the checkpoints; the quality head is not taken along, for it is trained last."""
    seen = []
    monkeypatch.setattr(trainer, "_steps", lambda config, draw, words, model, *rest: seen.append(model) or iter(()))
    list(train(TrainConfig(folder, tmp_path, held_out=1, init=embedded_weights.BUNDLED)))
    bundled = embedded_weights.load().model
    assert bundled.quality is not None
    assert seen[0].quality is None
    assert torch.equal(seen[0].words.weight, bundled.words.weight)
