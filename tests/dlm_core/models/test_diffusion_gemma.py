"""The adapter of DiffusionGemma beside transformers' own class, tiny and random, with a window far shorter than the prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from palimpsest.dlm_core.models.diffusion_gemma import (
    DiffusionGemma,
    Sampling,
    load_gemma,
)
from palimpsest.dlm_core.models.errors import ModelError

from .checkpoints import write_tokenizer

WINDOW, LENGTH, WORDS = 8, 16, 300
PROMPT = list(range(5, 45))
CANVAS = torch.arange(100, 100 + LENGTH)


@pytest.fixture(scope="module")
def native() -> Any:
    from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

    sliding, full = "sliding_attention", "full_attention"
    text = {
        "vocab_size": WORDS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "layer_types": [sliding, full, sliding, full],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": 1,
        "head_dim": 8,
        "global_head_dim": 16,
        "sliding_window": WINDOW,
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 16,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    torch.manual_seed(0)
    model = DiffusionGemmaForBlockDiffusion(
        DiffusionGemmaConfig(text_config=text, vision_config=vision, canvas_length=LENGTH)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1)
    return model.eval()


@pytest.fixture(scope="module")
def gemma(native: Any) -> DiffusionGemma:
    return DiffusionGemma(native)


@pytest.fixture(scope="module")
def folder(native: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gemma")
    native.save_pretrained(made, max_shard_size="40KB")
    write_tokenizer(made / "tokenizer.json")
    return made


def close(ours: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, WINDOW - 2, WINDOW - 1, WINDOW, WINDOW + 1, len(PROMPT)])
def test_logits_equal_the_native_forward_on_both_sides_of_the_window(
    native: Any, gemma: DiffusionGemma, length: int
) -> None:
    prompt = torch.tensor(PROMPT[:length])
    prefix = gemma.prefix(PROMPT[:length])
    first = gemma.logits(CANVAS, prefix)
    with torch.no_grad():
        close(first, native(input_ids=prompt[None], decoder_input_ids=CANVAS[None]).logits[0])
        hinted = native(input_ids=prompt[None], decoder_input_ids=CANVAS[None], self_conditioning_logits=first[None])
    close(gemma.logits(CANVAS, prefix, first), hinted.logits[0])
    assert not torch.allclose(hinted.logits[0], first, atol=1e-3)
    assert float(first.abs().max()) < native.config.text_config.final_logit_softcapping


def test_canvases_side_by_side_read_one_prefix(gemma: DiffusionGemma) -> None:
    prefix, canvases = gemma.prefix(PROMPT), torch.stack([CANVAS, CANVAS.flip(0), CANVAS + 40])
    alone = torch.stack([gemma.logits(canvas, prefix) for canvas in canvases])
    close(gemma.logits(canvases, prefix), alone)
    hinted = torch.stack([gemma.logits(c, prefix, a) for c, a in zip(canvases, alone, strict=True)])
    close(gemma.logits(canvases, prefix, alone), hinted)


def test_a_canvas_that_is_too_long_is_refused(gemma: DiffusionGemma) -> None:
    with pytest.raises(ValueError, match="17 tokens are more than this model's canvas of 16"):
        gemma.logits(torch.arange(LENGTH + 1), gemma.prefix(PROMPT))


@pytest.mark.parametrize("cut", [1, WINDOW - 1, WINDOW, 20, len(PROMPT) - 1])
def test_a_prefix_in_parts_is_the_prefix_from_scratch(gemma: DiffusionGemma, cut: int) -> None:
    part = gemma.prefix(PROMPT[:cut])
    before = gemma.logits(CANVAS, part)
    grown = gemma.prefix(PROMPT, part)
    assert (grown.tokens, grown.encoded) == (tuple(PROMPT), len(PROMPT) - cut)
    close(gemma.logits(CANVAS, grown), gemma.logits(CANVAS, gemma.prefix(PROMPT)))
    assert torch.equal(gemma.logits(CANVAS, part), before)
    assert gemma.prefix(PROMPT, grown).encoded == 0


@pytest.mark.parametrize("cut", [0, 3, WINDOW, 20, len(PROMPT) - 1])
def test_another_prefix_is_encoded_from_the_first_token_that_differs(gemma: DiffusionGemma, cut: int) -> None:
    """The window has long left the cut behind: what it held then is still known."""
    other = [*PROMPT[:cut], 7, *PROMPT[cut + 1 :], 9]
    whole = gemma.prefix(PROMPT)
    prefix = gemma.prefix(other, whole.shared(other))
    assert prefix.encoded == len(other) - cut
    close(gemma.logits(CANVAS, prefix), gemma.logits(CANVAS, gemma.prefix(other)))


def test_a_shorter_prefix_is_a_cut(gemma: DiffusionGemma) -> None:
    prefix = gemma.prefix(PROMPT[:20], gemma.prefix(PROMPT).shared(PROMPT[:20]))
    assert prefix.encoded == 0
    close(gemma.logits(CANVAS, prefix), gemma.logits(CANVAS, gemma.prefix(PROMPT[:20])))


def test_a_prefix_that_does_not_go_on_starts_anew(gemma: DiffusionGemma) -> None:
    other = [7, *PROMPT[1:]]
    prefix = gemma.prefix(other, gemma.prefix(PROMPT))
    assert prefix.encoded == len(other)
    assert torch.equal(gemma.logits(CANVAS, prefix), gemma.logits(CANVAS, gemma.prefix(other)))


def test_the_temperature_falls_as_the_native_one() -> None:
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import LinearTemperatureScheduleLogitsProcessor

    scale = LinearTemperatureScheduleLogitsProcessor(0.4, 0.8, 48)
    for step in (0, 1, 24, 47):
        native = scale(torch.zeros(1, 1), torch.ones(1), 48 - step)
        assert Sampling().temperature(step) == pytest.approx(1 / float(native), rel=1e-6)
    assert Sampling().temperature(0) == 0.8


def test_what_is_saved_is_loaded(folder: Path, gemma: DiffusionGemma) -> None:
    assert len(list(folder.glob("*.safetensors"))) > 2
    loaded, tokenizer = load_gemma(folder, torch.float32, "cpu")
    logits = loaded.logits(CANVAS, loaded.prefix(PROMPT))
    assert torch.equal(logits, gemma.logits(CANVAS, gemma.prefix(PROMPT)))
    assert (loaded.length, loaded.vocabulary) == (LENGTH, WORDS)
    assert tokenizer is not None


def test_half_precision_stays_near(folder: Path, gemma: DiffusionGemma) -> None:
    loaded, _ = load_gemma(folder, torch.bfloat16, "cpu")
    prefix = loaded.prefix(PROMPT)
    first = loaded.logits(CANVAS, prefix)
    assert first.dtype == torch.float32
    wanted = gemma.logits(CANVAS, gemma.prefix(PROMPT))
    assert torch.corrcoef(torch.stack([first.flatten(), wanted.flatten()]))[0, 1] > 0.98
    assert loaded.logits(CANVAS, prefix, first).isfinite().all()


def test_a_missing_shard_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    shards = sorted(folder.glob("*.safetensors"))
    copied(folder, tmp_path, without=shards[1].name)
    with pytest.raises(ModelError, match=shards[1].name) as raised:
        load_gemma(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_missing_weight_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    copied(folder, tmp_path)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    lost = next(key for key in index["weight_map"] if key.endswith("self_conditioning.pre_norm.weight"))
    shard = index["weight_map"].pop(lost)
    path.write_text(json.dumps(index))
    drop(tmp_path / shard, lost)
    with pytest.raises(ModelError, match=r"lacks the weights of .*self_conditioning.pre_norm.weight"):
        load_gemma(tmp_path)


def copied(folder: Path, target: Path, without: str = "") -> None:
    for path in folder.iterdir():
        if path.name != without:
            (target / path.name).write_bytes(path.read_bytes())


def drop(shard: Path, key: str) -> None:
    from safetensors.torch import load_file, save_file

    held = load_file(shard)
    del held[key]
    save_file(held, shard, metadata={"format": "pt"})
