"""LoRA over the training examples, end to end on tiny checkpoints of the families, and the adapters it leaves."""

from __future__ import annotations

import itertools
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.cache.forward import hidden_states
from palimpsest.dlm_core.cache.span_cache import NO_CACHE
from palimpsest.dlm_core.decoding.sampler import denoise
from palimpsest.dlm_core.denoisers.adapter import with_adapter
from palimpsest.dlm_core.denoisers.hosted import HostedDenoiser
from palimpsest.dlm_core.denoisers.open import examine, hosted, open_denoiser
from palimpsest.dlm_core.kinds import VERDICT_SLOT, MaskKind, SlotSpec
from palimpsest.dlm_core.models import lora
from palimpsest.dlm_core.models.checkpoint import load
from palimpsest.dlm_core.models.errors import ModelError
from palimpsest.dlm_core.models.transformer import Transformer
from palimpsest.dlm_core.training import finetune_hosted as tuner
from palimpsest.dlm_core.training.examples import Example, Target, write_examples
from palimpsest.dlm_core.training.finetune_hosted import FinetuneConfig, Tuned, finetune, judged, losses, shown
from palimpsest.dlm_core.training.hosted_targets import Targets, targets_of
from palimpsest.dlm_core.training.masking import Masking, masked, stale

from ..models.checkpoints import write

ENTITY, NUMBER, CITE = SlotSpec(MaskKind.ENTITY), SlotSpec(MaskKind.NUMBER), SlotSpec(MaskKind.CITE)
BUILT = "It was built by Anna in 1905."
ASKED = Example(
    ("Who built it?",), ("Nothing here.", BUILT), (ENTITY, " ", CITE),
    (Target(spans=((1, 16, 20),)), Target(spans=((1, -1, -1),))), "answer", "squad_train",
)  # fmt: skip
JUDGED = Example((BUILT,), (BUILT,), (VERDICT_SLOT,), (Target(words="[SUP]"),), "verdict", "fever_pairs")
WRITTEN = Example(
    (BUILT,), (BUILT,), ("In ", NUMBER, " by ", ENTITY, "."),
    (Target(spans=((0, 24, 28),), now="1913"), Target(spans=((0, 16, 20),))), "statement", "made up",
)  # fmt: skip
SILENT = Example(("Who sold it?",), (BUILT,), (ENTITY,), (Target(words="[NONE]"),), "answer", "squad_train")
EXAMPLES = (ASKED, JUDGED, WRITTEN, SILENT)
TRAINED = ("llada", "dream", "llada2", "sdar")


def small(family: str, folder: Path) -> HostedDenoiser:
    return hosted(*load(write(family, folder / family)))


def words_of(targets: Targets, denoiser: HostedDenoiser, part: str) -> str:
    return denoiser.tokenizer.decode([p.target for p in targets.places if p.part == part])


def config(family: str, folder: Path, **changes: object) -> FinetuneConfig:
    write_examples(folder / "examples.jsonl.gz", EXAMPLES)
    model = write(family, folder / family)
    few = FinetuneConfig(
        str(model), folder / "examples.jsonl.gz", folder / "out", rank=4, alpha=8.0, rate=3e-3, head_rate=1e-2, epochs=12,
        tokens=120,
    )  # fmt: skip
    return replace(few, **changes)  # type: ignore[arg-type]


def test_a_lesson_tells_the_words_of_the_span_and_ends_what_is_surplus_as_one_token(tmp_path: Path) -> None:
    denoiser = small("llada", tmp_path)
    seen = [targets_of(masked(ASKED), denoiser, random.Random(seed)) for seed in range(12)]
    assert {words_of(x, denoiser, "span") for x in seen} == {"Anna"}
    lengths = set()
    for x in seen:
        slot = x.canvas.slots[0]
        spans = [p for p in x.places if p.part == "span"]
        assert [p.row for p in spans] == list(range(slot.start, slot.end))
        assert [p.target for p in spans[4:]] == [denoiser.marks.delete] * (len(spans) - 4)
        assert sum(p.weight for p in spans) == pytest.approx(4 + (len(spans) > 4))
        lengths.add(len(spans))
    assert min(lengths) == 4 < max(lengths)


def test_a_lesson_cites_by_the_mark_of_the_passage_and_judges_among_three_words(tmp_path: Path) -> None:
    denoiser = small("llada", tmp_path)
    asked = targets_of(masked(ASKED), denoiser, random.Random(0))
    (cited,) = [p for p in asked.places if p.part == "cite"]
    assert denoiser.tokenizer.decode([cited.target]) == "2"
    assert cited.allowed is not None
    assert len(cited.allowed) == 2
    (verdict,) = targets_of(masked(JUDGED), denoiser, random.Random(0)).places
    assert denoiser.tokenizer.decode([verdict.target]) == "y"
    assert verdict.allowed is not None
    assert len(verdict.allowed) == 3
    (none, *_) = targets_of(masked(SILENT), denoiser, random.Random(0)).places
    assert none.target == denoiser.marks.none


def test_stale_words_are_edited_and_right_ones_only_read(tmp_path: Path) -> None:
    denoiser = small("llada", tmp_path)
    x = targets_of(stale(masked(WRITTEN)), denoiser, random.Random(0))
    edited = [p for p in x.places if p.part == "edit"]
    assert denoiser.tokenizer.decode([p.target for p in edited]) == "1905"
    assert denoiser.tokenizer.decode([int(x.canvas.tokens[p.row]) for p in edited]) == "1913"
    assert [p.weight for p in edited] == [0.2, 0.2, 1.0, 1.0]
    read = targets_of(Masking(WRITTEN, ("1905", None)), denoiser, random.Random(0))
    assert {p.part for p in read.places} == {"span"}
    slot = read.canvas.slots[0]
    assert denoiser.tokenizer.decode(read.canvas.tokens[slot.start : slot.end].tolist()) == "1905"


def test_the_loss_is_the_cross_entropy_of_the_family_at_its_rows(tmp_path: Path) -> None:
    """For a family that reads a word off the row before it, by hand from the logits of the denoiser's own body."""
    denoiser = small("dream", tmp_path)
    x = targets_of(masked(SILENT), denoiser, random.Random(1))
    tuned = Tuned(denoiser, 2, 2.0, seed=0)
    hidden = tuned.hidden([x.canvas]).detach()
    words = tuned.body.logits(hidden).detach().log_softmax(-1)
    places = [p for p in x.places if p.part == "span"]
    by_hand = -sum(p.weight * words[p.row - 1, p.target] for p in places) / sum(p.weight for p in places)
    assert losses(tuned, [x], hidden)["span"].item() == pytest.approx(float(by_hand), rel=1e-5)


@pytest.mark.parametrize("family", TRAINED)
def test_what_is_trained_is_what_is_served(family: str, tmp_path: Path) -> None:
    """New adapters are no change, and canvases side by side see what each sees alone, by the family's own rule."""
    denoiser = small(family, tmp_path)
    canvases = [targets_of(masked(e), denoiser, random.Random(0)).canvas for e in (ASKED, WRITTEN)]
    with torch.inference_mode():
        served, _ = hidden_states(denoiser.body, denoiser.arena, denoiser.marks.mask, canvases, [NO_CACHE] * 2)
    tuned = Tuned(denoiser, 2, 2.0, seed=0)
    with torch.no_grad():
        trained = tuned.hidden(canvases)
    assert torch.allclose(trained, torch.cat([hidden for _, hidden in served]), atol=1e-5)


def test_the_quality_head_is_taught_whether_the_models_own_words_are_right(tmp_path: Path) -> None:
    """Its gradient reaches neither adapters nor weights, and its label is the agreement of word and target."""
    tuned = Tuned(small("llada", tmp_path), 2, 2.0, seed=0)
    x = targets_of(masked(JUDGED), tuned.denoiser, random.Random(0))
    hidden = tuned.hidden([x.canvas]).detach()
    row = x.places[0].row
    best = int(tuned.body.logits(hidden)[row, x.places[0].allowed].argmax())
    is_right = int(x.places[0].allowed[best]) == x.places[0].target  # type: ignore[index]
    with torch.no_grad():
        tuned.quality.weight.zero_()
        tuned.quality.bias.fill_(3.0)
    loss = judged(tuned, [x], hidden, random.Random(0))
    assert loss is not None
    assert loss.item() == pytest.approx(0.0486 if is_right else 3.0486, abs=1e-3)
    loss.backward()
    assert tuned.quality.bias.grad is not None
    assert all(p.grad is None for p in tuned.body.parameters())
    settled = replace(x, canvas=x.canvas.commit(x.canvas.open, x.canvas.tokens, x.canvas.source))
    assert judged(tuned, [settled], hidden, random.Random(0)) is None


@pytest.mark.parametrize("family", ["dream", "llada2"])  # one read a row behind, one in blocks and with experts
def test_a_family_learns_a_handful_of_examples_by_heart(family: str, tmp_path: Path) -> None:
    """The loss on the same maskings falls by more than a third, only adapters move, and the folder it leaves serves as a model."""
    few = config(family, tmp_path, rate=1e-2, epochs=60.0)
    before = {n: p.clone() for n, p in small(family, tmp_path).body.named_parameters()}  # type: ignore[attr-defined]
    rows = list(finetune(few))
    assert rows[-1]["step"] >= 100
    adapted = open_denoiser(few.out)
    assert isinstance(adapted, HostedDenoiser)
    assert isinstance(adapted.body, Transformer)
    again = open_denoiser(few.out)
    assert isinstance(again, HostedDenoiser)
    assert _loss(again) < 0.65 * _loss(small(family, tmp_path))
    moved = {n for n, p in adapted.body.named_parameters() if not torch.equal(p, before[n])}
    assert moved
    assert all(".attention." in n or ".feed." in n for n in moved)
    assert not any(n.endswith(("router.weight", "norm.weight", ".bias")) for n in moved)
    last = list(denoise(adapted, adapted.build(ASKED.question, [("p", BUILT)], [ENTITY, " ", CITE]), schedule=2))[-1]
    assert last.canvas.fill(0, adapted.tokenizer) is not None
    read, _ = adapted.guess([last.canvas])
    slot = last.canvas.slots[0]
    assert read[0].quality is not None
    assert bool(((read[0].quality[slot.start : slot.end] > 0) & (read[0].quality[slot.start : slot.end] < 1)).all())
    facts = json.loads((few.out / "adapter.json").read_text())
    assert facts["base"] == str(tmp_path / family)
    assert facts["licences"]["made up"].startswith("unknown")
    assert examine(few.out).startswith("an adapter of rank 4 for")


def _loss(denoiser: HostedDenoiser) -> float:
    """Mean over parts, with adapters that are no change."""
    tuned = Tuned(denoiser, 1, 1.0, seed=0)
    targets = [targets_of(masked(e), denoiser, random.Random(0)) for e in EXAMPLES]
    with torch.no_grad():
        parts = losses(tuned, targets, tuned.hidden([x.canvas for x in targets]))
    return sum(float(v) for v in parts.values()) / len(parts)


@pytest.mark.parametrize("family", TRAINED)
def test_merged_weights_say_what_base_and_adapter_say(family: str, tmp_path: Path) -> None:
    few = config(family, tmp_path, epochs=3.0)
    list(finetune(few))
    canvas = targets_of(masked(ASKED), small(family, tmp_path), random.Random(0)).canvas
    beside = Tuned(small(family, tmp_path), few.rank, few.alpha, seed=1)
    beside.restore(torch.load(few.out / "checkpoint.pt", weights_only=True)["model"])
    plain = Tuned(small(family, tmp_path), 1, 1.0, seed=0)
    merged = Tuned(with_adapter(small(family, tmp_path), few.out), 1, 1.0, seed=0)
    with torch.no_grad():
        expected = beside.hidden([canvas])
        assert torch.allclose(merged.hidden([canvas]), expected, atol=1e-5)
        assert not torch.allclose(plain.hidden([canvas]), expected, atol=1e-3)


@pytest.mark.usefixtures("same_bits")
def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = config("llada", tmp_path, epochs=8.0, save_seconds=0.0)
    list(finetune(whole))
    part = replace(whole, out=tmp_path / "part")
    steps = tuner._steps

    def killed(*args: object) -> object:
        yield from itertools.islice(steps(*args), 1)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuner, "_steps", killed)
        with pytest.raises(KeyboardInterrupt):
            list(finetune(part))
    assert not (part.out / "adapter.json").exists()
    list(finetune(part))
    first, second = (lora.load(c.out / "adapter.safetensors") for c in (whole, part))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_adapter_of_another_model_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    few = config("llada", tmp_path, epochs=1.0)
    list(finetune(few))
    other = hosted(*load(write("llada", tmp_path / "other", mlp_hidden_size=40)))
    assert isinstance(other.body, Transformer)
    before = {n: p.clone() for n, p in other.body.named_parameters()}
    with pytest.raises(ModelError, match=r"does not fit this model; open it with the model it was trained on"):
        with_adapter(other, few.out)
    assert all(torch.equal(p, before[n]) for n, p in other.body.named_parameters())


def test_an_adapter_without_its_quality_head_or_its_matrices_changes_nothing(tmp_path: Path) -> None:
    few = config("llada", tmp_path, epochs=1.0)
    list(finetune(few))
    stored = lora.load(few.out / "adapter.safetensors")
    for part, said in (("lora_", "the quality head does not fit"), ("quality.", "no adapter matrices")):
        lora.save(few.out / "adapter.safetensors", {n: t for n, t in stored.items() if part in n})
        denoiser = small("llada", tmp_path)
        assert isinstance(denoiser.body, Transformer)
        before = {n: p.clone() for n, p in denoiser.body.named_parameters()}
        with pytest.raises(ModelError, match=said):
            with_adapter(denoiser, few.out)
        assert denoiser.quality is None
        assert all(torch.equal(p, before[n]) for n, p in denoiser.body.named_parameters())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda out: (out / "adapter.safetensors").unlink(), "missing or damaged; export"),
        (lambda out: (out / "adapter.safetensors").write_bytes(b"no"), "missing or damaged; export"),
        (lambda out: (out / "adapter.json").write_text('{"base": "x", "colour": 1}'), "not of this format"),
        (lambda out: (out / "adapter.json").write_text("{"), "is damaged"),
    ],
)
def test_a_spoilt_adapter_is_one_sentence(spoil: object, said: str, tmp_path: Path) -> None:
    few = config("llada", tmp_path, epochs=1.0)
    list(finetune(few))
    spoil(few.out)  # type: ignore[operator]
    for ask in (open_denoiser, examine):
        with pytest.raises(ModelError, match=said):
            ask(few.out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "embedded"], r"\(palimpsest.dlm_core.training.train_embedded is for the embedded model\)"),
        (["--model", "tuned"], "without an adapter"),
        (["--epochs", "0"], "epochs 0.0 and rank 32 leave nothing to train"),
        (["--rank", "0"], "rank 0 leave nothing to train"),
        (["--out", "tuned", "--rank", "3"], "checkpoint.pt is of another model or rank; give another --out"),
        (["--model", "nothing/at/all"], "is no folder and no Hugging Face id"),
        (["--data", "missing.jsonl"], "missing.jsonl"),
        (["--data", "empty.jsonl"], "holds no examples; build it"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = config("llada", tmp_path)
    (tmp_path / "empty.jsonl").touch()
    list(finetune(replace(few, out=tmp_path / "tuned", epochs=1.0)))
    monkeypatch.chdir(tmp_path)
    usual = ["--model", few.model, "--data", str(few.data), "--out", "out"]
    monkeypatch.setattr(sys, "argv", ["finetune", *usual, *arguments])
    with pytest.raises(SystemExit, match=said):
        tuner.main()


def test_the_command_leaves_metrics_and_an_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = config("llada", tmp_path)
    given = {"--model": few.model, "--data": few.data, "--out": few.out, "--epochs": 12, "--tokens": 120, "--rank": 2}
    monkeypatch.setattr(sys, "argv", ["finetune", *(str(a) for pair in given.items() for a in pair)])
    tuner.main()
    row = json.loads((few.out / "metrics.jsonl").read_text().splitlines()[0])
    assert {"step", "examples", "seconds", "share", "span", "choice"} <= set(row)


def test_without_peft_the_mend_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError, match=r"install it with pip install peft accelerate"):
        lora.attach(load(write("llada", tmp_path / "m"))[0], 2, 2.0)


def test_what_is_too_long_is_left_out(tmp_path: Path) -> None:
    tuned = Tuned(small("llada", tmp_path), 2, 2.0, seed=0)
    assert shown(tuned, EXAMPLES, 0.0, 10_000, random.Random(0))
    assert not shown(tuned, EXAMPLES, 0.0, 10, random.Random(0))


def test_drafts_of_before_the_evidence_come_once_words_are_learnt(tmp_path: Path) -> None:
    tuned = Tuned(small("llada", tmp_path), 2, 2.0, seed=0)

    def parts(share: float) -> set[str]:
        targets = [x for seed in range(20) for x in shown(tuned, [WRITTEN], share, 10_000, random.Random(seed))]
        return {p.part for x in targets for p in x.places}

    assert "edit" not in parts(0.2)
    assert "edit" in parts(0.9)


def test_the_learning_rate_falls_from_its_peak(tmp_path: Path) -> None:
    few = config("llada", tmp_path)
    list(finetune(few))
    groups = torch.load(few.out / "checkpoint.pt", weights_only=True)["optimizer"]["param_groups"]
    assert [g["peak"] for g in groups] == [few.rate, few.head_rate]
    assert all(0 < g["lr"] < 0.2 * g["peak"] for g in groups)
