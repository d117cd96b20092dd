"""An autoregressive checkpoint becomes one of blocks: layout, annealing, resumption, and the model that is left."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.cache.attention import mix, visible
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.sampler import Frame, denoise, threshold
from palimpsest.dlm_core.denoisers.open import examine, open_denoiser
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.models.checkpoint import load, load_causal
from palimpsest.dlm_core.models.errors import ModelError
from palimpsest.dlm_core.training.adapt import AdaptConfig, adapt, documents, parted, texts
from palimpsest.dlm_core.training.block_layout import layout, seen

from ..models.checkpoints import letters

REAL = (
    "The lake of Orta lies west of Lake Maggiore. It was formed by a glacier, and a river leaves it at its northern end. "
    "Barges carried salt and granite across it for three hundred years, until a railway took the trade away from them. "
)
KINDS: dict[str, Any] = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, {"tie_word_embeddings": True}),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM, {"tie_word_embeddings": False}),
    "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM, {"tie_word_embeddings": True, "head_dim": 16}),
}


SPECIAL = ("<pad>", "<bos>", "<eos>")
WORDS = len(SPECIAL) + 256


def causal(folder: Path, kind: str = "llama", seed: int = 0) -> Path:
    """A small random autoregressive checkpoint as transformers writes it; the Qwen ones leave rows free, as theirs do."""
    config, model, more = KINDS[kind]
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": WORDS if kind == "llama" else 320,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 512,
        "eos_token_id": 2,
        "bos_token_id": 1,
        "pad_token_id": 0,
    }
    model(config(**sizes, **more)).save_pretrained(folder)
    _write_tokenizer(folder / "tokenizer.json")
    return folder


def _write_tokenizer(path: Path) -> None:
    """Every byte is a token; there is no mask."""
    words = {token: number for number, token in enumerate([*SPECIAL, *letters()])}
    backend = Tokenizer(models.BPE(vocab=words, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True) for t in SPECIAL])
    backend.save(str(path))


def text(folder: Path) -> Path:
    path = folder / "text.jsonl"
    rows = [{"title": str(n), "paragraphs": [["Lake", REAL * 3 + str(n)]]} for n in range(12)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def config(tmp_path: Path, **more: Any) -> AdaptConfig:
    plain = {"block": 8, "length": 32, "texts": 2, "held": 2, "rate": 3e-3, "bf16": False}
    return AdaptConfig(
        more.pop("source", None) or causal(tmp_path / "causal"),
        text(tmp_path),
        tmp_path / "out",
        **{"steps": 12, **plain, **more},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_a_causal_checkpoint_equal_those_of_transformers_on_real_text(kind: str, tmp_path: Path) -> None:
    folder = causal(tmp_path, kind)
    body, tokenizer = load_causal(folder)
    words = torch.tensor(tokenizer.encode(REAL).ids)
    places = torch.arange(len(words))
    sight = visible(body.block_length, places, places)
    with torch.inference_mode():
        ours = body.logits(body.rows(body.embed(words), places, lambda layer, q, k, v: mix(q, k, v, sight)))
        theirs = KINDS[kind][1].from_pretrained(folder)(words[None]).logits[0]
    assert len(words) > 40
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_every_word_but_the_first_is_open_in_one_copy_and_read_off_the_row_before() -> None:
    words = torch.arange(100, 124)
    laid = layout(words, 8, 3, torch.Generator().manual_seed(1))
    copies = laid.tokens.reshape(3, 24)
    assert torch.equal(copies[0], words)
    hidden = copies == 3
    assert not hidden[0].any()
    assert not hidden[:, 0].any()
    assert torch.equal(hidden[1, 1:], ~hidden[2, 1:])
    assert torch.equal(laid.target, words[1:])
    for place, row in enumerate(laid.row.tolist(), 1):
        copy, before = divmod(row, 24)
        assert before == place - 1
        assert copy == 0 if place % 8 == 0 else bool(hidden[copy, place])


def test_no_row_that_a_word_is_read_off_sees_that_word() -> None:
    """Neither in its own copy, where it is open, nor in the clean one, whose block it does not see."""
    words = torch.arange(100, 132)
    laid = layout(words, 8, 3, torch.Generator().manual_seed(2))
    for ahead in (0, 3, 7):
        sight = seen(32, 8, ahead)
        found = torch.where(laid.tokens == 3, -1, laid.positions)
        for place, row in enumerate(laid.row.tolist(), 1):
            assert place not in found[sight[row]].tolist()
    assert torch.equal(seen(32, 8, 0)[:32, :32], torch.ones(32, 32).tril().bool() | _earlier(32, 8))
    assert bool(seen(32, 8, 7)[0, 7])
    assert not bool(seen(32, 8, 7)[0, 8])


def _earlier(length: int, block: int) -> torch.Tensor:
    number = torch.arange(length) // block
    return number[None] < number[:, None]


def test_adapting_lowers_the_loss_of_open_words_and_leaves_a_model_that_is_hosted(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=60)
    rows = list(adapt(asked))
    assert rows[-1]["masked"] < rows[0]["masked"] - 0.5
    body, tokenizer = load(asked.out)
    assert (body.config.block_length, body.config.shift, body.config.mask) == (8, 1, WORDS)
    assert (tokenizer.id_of("<|mask|>"), body.config.vocabulary) == (WORDS, WORDS + 1)
    assert examine(asked.out).startswith("Llama with blocks")
    writer = ModelWriter(asked.out)
    assert writer.writes_prose
    card = (asked.out / "MODEL_CARD.md").read_text()
    assert "text.jsonl" in card
    assert "do not publish" in card
    assert "masked at start" in card


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_is_adapted_and_hosted_in_its_own_format(kind: str, tmp_path: Path) -> None:
    asked = config(tmp_path, source=causal(tmp_path / kind, kind), steps=1)
    list(adapt(asked))
    denoiser = open_denoiser(asked.out)
    canvas = denoiser.build(["Say it."], [("a", REAL)], ["Orta", SlotSpec(MaskKind.TEXT, 6, free=True), " Maggiore."])
    *_, last = denoise(denoiser, canvas, schedule=6, commit=threshold(0.9))
    assert not last.canvas.open.any()


def test_what_is_kept_of_settled_blocks_changes_no_word(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=2)
    list(adapt(asked))
    denoiser = open_denoiser(asked.out)
    canvas = denoiser.build(["Say it."], [("a", REAL)], ["Orta", SlotSpec(MaskKind.TEXT, 30, free=True), " Maggiore."])

    def run(**more: Any) -> list[Frame]:
        return list(denoise(denoiser, canvas, schedule=30, commit=threshold(0.9), **more))

    plain, kept = run(cache=None), run()
    assert [f.canvas.tokens.tolist() for f in plain] == [f.canvas.tokens.tolist() for f in kept]
    assert kept[-1].report is not None
    assert kept[-1].report.recomputed < len(canvas) / 2
    assert isinstance(kept[-1].canvas, Canvas)


def test_killed_and_begun_again_it_is_the_same_model(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=12, save_seconds=0.0)
    list(adapt(asked))
    other = replace(asked, out=tmp_path / "other")
    steps = adapt(other)
    for row in steps:
        if row["step"] >= 10:
            break  # nothing else is written by a process that is killed here
    steps.close()
    assert not (other.out / "config.json").exists()
    assert [r["step"] for r in adapt(other)][-1] == 12
    for name in ("model.safetensors", "config.json"):
        assert (other.out / name).read_bytes() == (asked.out / name).read_bytes()


def test_a_training_goes_on_with_what_it_was_begun_with(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=1)
    list(adapt(asked))
    with pytest.raises(ValueError, match="begun with another seed"):
        list(adapt(replace(asked, seed=1, steps=2)))
    asked.data.write_text(asked.data.read_text().rstrip("\n") + "\n" + json.dumps({"text": "More. " * 50}) + "\n")
    with pytest.raises(ValueError, match="begun with another data"):
        list(adapt(replace(asked, steps=2)))


def test_a_text_that_stands_twice_is_one(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=1)
    asked.data.write_text((json.dumps({"text": REAL}) + "\n") * 3, encoding="utf-8")
    with pytest.raises(ValueError, match="two different texts"):
        documents(replace(asked, documents=3))
    trained, held = parted(["a", "b"])
    assert len(trained) == len(held) == 1


def test_what_cannot_be_adapted_is_said(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=1)
    with pytest.raises(ModelError, match="adapt --from"):
        load(asked.source)
    list(adapt(asked))
    with pytest.raises(ModelError, match="already"):
        list(adapt(replace(asked, source=asked.out, out=tmp_path / "again")))
    facts = json.loads((asked.source / "config.json").read_text())
    (asked.source / "config.json").write_text(json.dumps({**facts, "architectures": ["GPT2LMHeadModel"]}))
    with pytest.raises(ModelError, match="GPT2LMHeadModel"):
        list(adapt(replace(asked, out=tmp_path / "third")))
    with pytest.raises(ValueError, match="the checkpoint itself"):
        replace(asked, out=asked.source)
    with pytest.raises(ValueError, match="whole blocks"):
        replace(asked, length=30)
    with pytest.raises(ValueError, match="either"):
        replace(asked, minutes=1.0)


def test_texts_are_a_function_of_the_seed_and_nothing_held_out_is_trained_on(tmp_path: Path) -> None:
    asked = config(tmp_path, steps=1)
    trained, held = parted(documents(asked))
    assert held
    assert not set(trained) & set(held)
    _, tokenizer = load_causal(asked.source)

    def first(seed: int) -> list[list[int]]:
        several = texts(trained, tokenizer, 2, 32, seed)
        return [next(several).tolist() for _ in range(40)]

    assert first(0) == first(0) != first(1)


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "palimpsest.dlm_core.training.adapt", "--from", str(tmp_path), "--to", "block"]
    done = subprocess.run([*command, "--data", "x.txt", "--steps", "1"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "config.json is missing" in done.stderr
    assert "Traceback" not in done.stderr
