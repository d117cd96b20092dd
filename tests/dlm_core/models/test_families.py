"""Every family: a checkpoint in its own format gives the logits of its reference implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from palimpsest.dlm_core.cache.attention import mix, visible
from palimpsest.dlm_core.models.checkpoint import load
from palimpsest.dlm_core.models.errors import ModelError
from palimpsest.dlm_core.models.transformer import Transformer

from . import checkpoints
from .checkpoints import CONFIGS, FAMILIES, VOCABULARY, write

GOLDEN = Path(__file__).parent / "golden"
TOKENS = torch.tensor([(7 * i * i + 11 * i + 5) % VOCABULARY for i in range(40)])


def logits(model: Transformer, tokens: Tensor) -> Tensor:
    """[T, V] of one pass over whole rows."""
    positions = torch.arange(len(tokens))
    seen = visible(model.block_length, positions, positions)
    with torch.inference_mode():
        hidden = model.rows(model.embed(tokens), positions, lambda layer, q, k, v: mix(q, k, v, seen))
        return model.logits(hidden)


@pytest.mark.parametrize(
    ("recorded", "family", "more"),
    [
        ("llada", "llada", {}),
        ("dream", "dream", {}),
        ("llada_moe", "llada_moe", {}),
        ("llada_moe_full", "llada_moe", checkpoints.FULL_MOE),
        ("llada2", "llada2", {}),
    ],
)
def test_logits_equal_the_public_reference_code(
    recorded: str, family: str, more: dict[str, Any], tmp_path: Path
) -> None:
    """Golden vectors recorded once from the authors' own modelling code; each file names its source, commit and configuration."""
    golden = json.loads((GOLDEN / f"{recorded}.json").read_text())
    assert golden["config"] == {**CONFIGS[family], **more}
    model, _ = load(write(family, tmp_path, **more))
    found = logits(model, torch.tensor(golden["tokens"]))[golden["rows"]][:, golden["columns"]]
    torch.testing.assert_close(found, torch.tensor(golden["logits"]), atol=1e-5, rtol=1e-5)


def reference(family: str, folder: Path) -> Any:
    """transformers' causal model of the same shape, with the stored tensors under their own names."""
    config = CONFIGS[family]
    kind, more = {
        "illada": ("Llama", {}),
        "diffcoder": ("Llama", {}),
        "fast_dllm": ("Qwen2", {}),
        "sdar": ("Qwen3", {"head_dim": 16}),
        "a2d_qwen2": ("Qwen2", {}),
        "a2d_qwen3": ("Qwen3", {"head_dim": 16}),
    }[family]
    ours = ("architectures", "model_type", "mask_token_id", "rope_theta", "layer_norm_eps")
    sizes = {k: v for k, v in config.items() if k not in ours}
    made = getattr(transformers, f"{kind}Config")(
        **{**sizes, **more}, rope_parameters={"rope_type": "default", "rope_theta": config["rope_theta"]}
    )
    model = getattr(transformers, f"{kind}ForCausalLM")(made).eval()
    stored = {n: checkpoints.value(n, s) for n, s in checkpoints.shapes(config).items()}
    if config["tie_word_embeddings"]:
        stored["lm_head.weight"] = stored["model.embed_tokens.weight"]
    model.load_state_dict(stored)
    return model


@pytest.mark.parametrize("family", ["illada", "diffcoder", "fast_dllm", "sdar", "a2d_qwen2", "a2d_qwen3"])
def test_logits_equal_transformers_with_the_familys_mask(family: str, tmp_path: Path) -> None:
    model, _ = load(write(family, tmp_path))
    length = {"diffcoder": 4, "sdar": 4, "fast_dllm": 32}.get(family, 0)
    block = torch.arange(len(TOKENS)) // length if length else torch.zeros(len(TOKENS))
    seen = block[None] <= block[:, None]
    added = torch.zeros(1, 1, *seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    with torch.inference_mode():
        theirs = reference(family, tmp_path)(input_ids=TOKENS[None], attention_mask=added).logits[0]
    assert model.block_length == length
    torch.testing.assert_close(logits(model, TOKENS), theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_facts_of_diffusion_come_from_the_checkpoint(family: str, tmp_path: Path) -> None:
    model, tokenizer = load(write(family, tmp_path, mask_token_id=5))
    assert model.config.mask == 5
    assert model.shift == (family in ("dream", "fast_dllm"))
    assert tokenizer.decode(tokenizer.encode("Lake Orta, 12 knots").ids) == "Lake Orta, 12 knots"


@pytest.mark.parametrize(("family", "fact", "expected"), [("illada", "mask_token_id", 5), ("sdar", "block_size", 4)])
def test_what_a_family_is_known_to_leave_out_has_a_default(
    family: str, fact: str, expected: int, tmp_path: Path
) -> None:
    model, _ = load(write(family, tmp_path, **{fact: None}))
    assert expected in (model.config.mask, model.block_length)


def test_a_key_turned_by_the_difference_is_the_key_at_the_other_place(tmp_path: Path) -> None:
    for family in ("llada", "llada2"):  # all of a head is rotated, and half of it
        model, _ = load(write(family, tmp_path / family))
        keys, places = torch.randn(5, 4, 8), torch.tensor([3, 9, 0, 300, 41])
        shift = torch.tensor([4, -9, 100, -299, 0])
        torch.testing.assert_close(
            model.rotary.turn(model.rotary.turn(keys, places), shift),
            model.rotary.turn(keys, places + shift),
            atol=1e-4,
            rtol=1e-4,
        )


def test_a_plain_language_model_is_refused(tmp_path: Path) -> None:
    """Dispatch is on the architecture that config.json names; Llama with a mask id is still no diffusion model."""
    folder = write("diffcoder", tmp_path, architectures=["LlamaForCausalLM"])
    with pytest.raises(
        ModelError, match="LlamaForCausalLM, which writes from left to right; make it a diffusion model"
    ):
        load(folder)


def test_dense_and_sparse_llada_share_a_model_type_and_are_told_apart(tmp_path: Path) -> None:
    dense, _ = load(write("llada", tmp_path / "a"))
    sparse, _ = load(write("llada_moe", tmp_path / "b"))
    assert dense.config.experts is None
    assert sparse.config.experts is not None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "config.json").write_text("{"), "config.json is damaged"),
        (lambda f: (f / "model-00002-of-00002.safetensors").unlink(), "model-00002-of-00002.safetensors is missing"),
        (lambda f: (f / "model-00001-of-00002.safetensors").write_bytes(b"\x00" * 9), "is damaged"),
        (lambda f: (f / "tokenizer.json").unlink(), "holds no tokenizer.json"),
        (lambda f: (f / "model.safetensors.index.json").unlink(), "no model.safetensors and no index"),
    ],
)
def test_a_broken_checkpoint_is_named_with_the_mend(spoil: Any, said: str, tmp_path: Path) -> None:
    folder = write("llada", tmp_path)
    spoil(folder)
    with pytest.raises(ModelError, match=said):
        load(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("model.layers.1.mlp.up_proj.weight"), "lacks the weights of blocks.1.feed.up.weight"),
        (lambda s: s.update({"model.layers.0.mystery.weight": torch.zeros(2)}), "mystery.weight in .* has no place"),
        (lambda s: s.update({"model.norm.weight": torch.zeros(31)}), r"model.norm.weight is \(31,\) where"),
    ],
)
def test_a_key_too_few_or_too_many_is_named(change: Any, said: str, tmp_path: Path) -> None:
    folder = write("dream", tmp_path)
    stored = {n: checkpoints.value(n, s) for n, s in checkpoints.shapes(CONFIGS["dream"]).items()}
    change(stored)
    checkpoints.write_shards(folder, stored)
    with pytest.raises(ModelError, match=said):
        load(folder)


def test_an_expert_too_few_is_named(tmp_path: Path) -> None:
    folder = write("llada_moe", tmp_path)
    stored = {n: checkpoints.value(n, s) for n, s in checkpoints.shapes(CONFIGS["llada_moe"]).items()}
    del stored["model.layers.1.mlp.experts.3.up_proj.weight"]
    checkpoints.write_shards(folder, stored)
    with pytest.raises(ModelError, match=r"lacks the weights of blocks\.1\.feed\.up"):
        load(folder)


def test_a_tied_head_may_be_stored_twice_if_it_is_the_same(tmp_path: Path) -> None:
    folder = write("illada", tmp_path)
    stored = {n: checkpoints.value(n, s) for n, s in checkpoints.shapes(CONFIGS["illada"]).items()}
    once, _ = load(folder)
    stored["lm_head.weight"] = stored["model.embed_tokens.weight"].clone()
    checkpoints.write_shards(folder, stored)
    twice, _ = load(folder)
    assert torch.equal(logits(once, TOKENS), logits(twice, TOKENS))
    assert twice.head.weight is twice.embedding.weight
    stored["lm_head.weight"] = stored["lm_head.weight"] + 1
    checkpoints.write_shards(folder, stored)
    with pytest.raises(ModelError, match="says its head is tied, and stores another"):
        load(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_other_precisions(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = write("llada2", tmp_path)
    exact, _ = load(folder)
    rough, _ = load(folder, dtype=dtype)
    assert rough.embedding.weight.dtype is dtype
    assert (logits(rough, TOKENS).float() - logits(exact, TOKENS)).abs().mean() < 0.1


def test_parts_lie_where_a_map_says(tmp_path: Path) -> None:
    folder = write("llada", tmp_path, n_layers=4)
    model, _ = load(folder, device={"": "cpu", "blocks.2": "meta", "head": "meta"})
    assert [b.device.type for b in model.blocks] == ["cpu", "cpu", "meta", "cpu"]  # type: ignore[union-attr]
    assert (model.norm.weight.device.type, model.head.weight.device.type) == ("cpu", "meta")
    with pytest.raises(
        ModelError, match=r"for layers\.1; the parts are embedding, blocks\.0 to blocks\.3, norm and head"
    ):
        load(folder, device={"": "cpu", "layers.1": "cpu"})
    with pytest.raises(ModelError, match=r'no device is given for blocks\.1; name it, or "" for all the rest'):
        load(folder, device={"embedding": "cpu", "blocks.0": "cpu"})


def test_blocks_are_spread_over_devices_evenly_and_in_order(tmp_path: Path) -> None:
    """`meta` stands for a second device: only where the parameters are allocated is looked at."""
    model, _ = load(write("llada", tmp_path, n_layers=4), device=["cpu", "meta"])
    assert [b.device.type for b in model.blocks] == ["cpu", "cpu", "meta", "meta"]  # type: ignore[union-attr]
    assert model.embedding.weight.device.type == "cpu"
    assert model.head.weight.device.type == "meta"


def test_what_a_person_writes_never_becomes_a_special_token(tmp_path: Path) -> None:
    """Literal mask or role text in a question or a document is text (sglang #35998)."""
    _, tokenizer = load(write("dream", tmp_path))
    assert tokenizer.control("<|mask|>") == [3]
    assert 3 not in tokenizer.encode("the <|mask|> token").ids
    assert len(tokenizer.encode("<|im_end|>").ids) == len("<|im_end|>")
    assert tokenizer.control(tokenizer.template.before_user)[0] == 4


def test_a_checkpoints_own_chat_template_goes_before_ours(tmp_path: Path) -> None:
    folder = write("llada", tmp_path)
    template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}[/]{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    _, tokenizer = load(folder)
    assert tokenizer.template.before_user == "[user]"
    assert tokenizer.template.after_user == "[/][assistant]"
    assert tokenizer.template.after_assistant == "[/]"


def test_a_name_that_is_nothing_is_one_sentence() -> None:
    with pytest.raises(ModelError, match="no folder and no Hugging Face id"):
        load("no/such/folder/at/all")
