"""What is read of a checkpoint's files beside its tensors: the facts of diffusion, positions, devices, where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import pytest
import torch
import transformers
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from palimpsest.dlm_core.models.checkpoint import folder_of, load
from palimpsest.dlm_core.models.errors import ModelError
from palimpsest.dlm_core.models.families import FAMILIES, find, read
from palimpsest.dlm_core.models.transformer import Transformer

from . import checkpoints
from .checkpoints import write

# The keys that the released checkpoints write, and their sizes; where a key is left out here, they leave it out.
ILLADA = {
    "architectures": ["ILLaDAForCausalLM"],
    "auto_map": {"AutoModelForCausalLM": "modeling_illada.ILLaDAForCausalLM"},
    "attention_bias": False,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "layer_norm_eps": None,
    "max_position_embeddings": 8192,
    "model_type": "illada",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "vocab_size": 155136,
}
DIFFCODER = {
    **ILLADA,
    "architectures": ["StableDiffcoderForCausalLM"],
    "model_type": "llama",
    "tie_word_embeddings": False,
}
SDAR = {
    **ILLADA,
    "architectures": ["SDARForCausalLM"],
    "model_type": "sdar",
    "eos_token_id": 151643,
    "head_dim": 128,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "tie_word_embeddings": False,
    "vocab_size": 151936,
    "rope_scaling": None,
    "use_sliding_window": False,
}
FAST_DLLM = {
    **ILLADA,
    "architectures": ["Fast_dLLM_QwenForCausalLM"],
    "bd_size": 32,
    "eos_token_id": 151645,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
    "vocab_size": 152064,
}
LLADA2 = {
    "architectures": ["LLaDA2MoeModelLM"],
    "first_k_dense_replace": 1,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "intermediate_size": 5120,
    "max_position_embeddings": 32768,
    "moe_intermediate_size": 512,
    "n_group": 8,
    "num_attention_heads": 16,
    "num_experts": 256,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 20,
    "num_key_value_heads": 4,
    "num_shared_experts": 1,
    "pad_token_id": 156892,
    "partial_rotary_factor": 0.5,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 600000,
    "routed_scaling_factor": 2.5,
    "sliding_window": 4096,
    "topk_group": 4,
    "use_qkv_bias": False,
    "vocab_size": 157184,
}


@pytest.mark.parametrize(
    ("stored", "mask", "end", "shift", "block", "parameters"),
    [
        (ILLADA, 5, 2, 0, 0, 7.6),
        (DIFFCODER, 5, 2, 0, 4, 8.3),
        (SDAR, 151669, 151643, 0, 4, 4.4),
        (FAST_DLLM, 151665, 151645, 1, 32, 7.6),
        (LLADA2, 156895, 156892, 0, 32, 16.3),
    ],
)
def test_a_released_config_gives_its_facts(
    stored: dict[str, Any], mask: int, end: int, shift: int, block: int, parameters: float
) -> None:
    """The released files leave out a mask id or a block length; sizes are checked by the count of parameters, in billions."""
    config = read(stored, find(stored))
    assert (config.mask, config.end, config.shift, config.block_length) == (mask, end, shift, block)
    with torch.device("meta"):
        model = Transformer(config)
    count = sum(p.numel() for p in model.parameters()) / 1e9
    assert count == pytest.approx(parameters, rel=0.02)


def test_older_diffcoder_is_known_by_the_class_of_its_code() -> None:
    """Its first revision called itself a Llama, with the class of its own code in `auto_map` only."""
    mapped = {"AutoModelForCausalLM": "someone/repository--modeling_seed_diffcoder.SeedDiffcoderForCausalLM"}
    assert find({**DIFFCODER, "architectures": ["LlamaForCausalLM"], "auto_map": mapped}).name == "Stable-DiffCoder"


def test_a_model_of_another_kind_is_not_taken_for_the_one_it_was_derived_from() -> None:
    """MMaDA names LLaDA's code in `auto_map`, and is another model."""
    with pytest.raises(ModelError, match="MMadaModelLM"):
        find({"architectures": ["MMadaModelLM"], "auto_map": {"AutoModel": "modeling_llada.LLaDAModelLM"}})


def test_a_llama_with_both_facts_of_diffusion_is_one(tmp_path: Path) -> None:
    folder = write("diffcoder", tmp_path, architectures=["LlamaForCausalLM"], mask_token_id=7, block_length=8)
    model, _ = load(folder)
    assert (model.config.mask, model.block_length) == (7, 8)


def test_each_architecture_belongs_to_one_family() -> None:
    named = [a for family in FAMILIES for a in family.architectures]
    assert len(named) == len(set(named))


def test_the_mask_comes_from_the_tokenizer_where_the_config_is_silent(tmp_path: Path) -> None:
    model, _ = load(write("a2d_qwen3", tmp_path))
    assert model.config.mask == checkpoints.SPECIAL.index("<|mask|>")
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match="gives no mask_token_id"):
        load(tmp_path)


def test_dreamon_has_a_token_that_asks_for_more(tmp_path: Path) -> None:
    plain, _ = load(write("dream", tmp_path))
    assert plain.config.expand is None
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<|expand|>": 300}))
    assert load(tmp_path)[0].config.expand == 300
    (tmp_path / "generation_config.json").write_text(json.dumps({"expand_token_id": 301, "mask_token_id": None}))
    assert load(tmp_path)[0].config.expand == 301


def test_of_several_ends_the_first_is_taken(tmp_path: Path) -> None:
    model, _ = load(write("dream", tmp_path, eos_token_id=[6, 2]))
    assert model.config.end == 6


@pytest.mark.parametrize(
    ("family", "change", "said"),
    [
        ("dream", {"quantization_config": {"quant_method": "fp8"}}, "quantised weights"),
        ("dream", {"hidden_act": "gelu"}, "hidden_act 'gelu'"),
        ("sdar", {"use_sliding_window": True}, "use_sliding_window True"),
        ("llada", {"scale_logits": True}, "scale_logits True"),
        ("llada", {"rope": False}, "rope False"),
        ("llada", {"input_emb_norm": True}, "input_emb_norm True"),
        ("dream", {"mask_token_id": 151666}, "mask token 151666 is beyond the 320 words"),
        ("dream", {"hidden_size": "wide"}, "a value that is no size"),
        ("dream", {"num_attention_heads": None}, "lacks num_attention_heads"),
        ("dream", {"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}, "longrope rotary scaling"),
        ("dream", {"rope_scaling": {"type": "yarn"}}, "lacks factor"),
        ("llada_moe", {"moe_layer_freq": [1, 0]}, "mixes dense layers"),
    ],
)
def test_what_is_not_built_here_is_refused_in_a_sentence(family: str, change: dict[str, Any], said: str) -> None:
    stored = {**checkpoints.CONFIGS[family], **change}
    with pytest.raises(ModelError, match=said):
        read(stored, find(stored))


SCALINGS: list[dict[str, Any]] = [
    {"rope_type": "linear", "factor": 4.0},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
    {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 128,
        "beta_fast": 16,
        "beta_slow": 2,
        "attention_factor": 1.3,
    },
]


@pytest.mark.parametrize("scaling", SCALINGS)
def test_stretched_positions_equal_transformers(scaling: dict[str, Any], tmp_path: Path) -> None:
    model, _ = load(write("a2d_qwen3", tmp_path, head_dim=32, rope_scaling=scaling))
    rope = {**scaling, "rope_theta": 10000.0}
    theirs = transformers.Qwen3Config(
        hidden_size=32, num_attention_heads=4, head_dim=32, max_position_embeddings=512, rope_parameters=rope
    )
    frequencies, gain = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](theirs, torch.device("cpu"))
    torch.testing.assert_close(model.rotary.frequencies(), frequencies)
    assert model.rotary.stretch is not None
    assert model.rotary.stretch.gain == pytest.approx(gain)


def test_a_key_moved_is_scaled_once(tmp_path: Path) -> None:
    """YaRN multiplies what it rotates; a cached key that is rotated again must not be multiplied again."""
    model, _ = load(write("llada2", tmp_path, rope_scaling={**SCALINGS[3], "partial_rotary_factor": 0.5}))
    assert (model.rotary.width, model.config.head_width) == (4, 8)
    keys, places, shift = torch.randn(4, 2, 8), torch.tensor([0, 5, 9, 400]), torch.tensor([7, -5, 0, -300])
    moved = model.rotary.turn(model.rotary(keys, places), shift)
    torch.testing.assert_close(moved, model.rotary(keys, places + shift), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moved[..., :4].norm(), 1.3 * keys[..., :4].norm())
    assert torch.equal(moved[..., 4:], keys[..., 4:])


def test_hidden_states_cross_from_device_to_device(tmp_path: Path) -> None:
    """`meta` stands for a second device: torch refuses to mix it with the first, as it refuses to mix two GPUs."""
    model, _ = load(write("dream", tmp_path, num_hidden_layers=4), device=["cpu", "meta"])
    seen = []

    def attend(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        seen.append(q.device.type)
        return q

    hidden = model.rows(model.embed(torch.arange(6)), torch.arange(6), attend)
    assert seen == ["cpu", "cpu", "meta", "meta"]
    assert model.logits(hidden).shape == (6, checkpoints.VOCABULARY)
    assert [d.type for d in model.row_state.devices] == seen


def test_auto_is_the_cpu_where_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    model, _ = load(write("dream", tmp_path), device="auto")
    assert model.embedding.weight.device.type == "cpu"


class Hub:
    """In the place of the hub: `kept` is what this machine holds already, `history` what was asked for, and whether over the net."""

    def __init__(self, held: Path, kept: Path | None = None):
        self.held, self.kept = held, kept
        self.history: list[tuple[str, list[str], bool]] = []

    def __call__(self, name: str, allow_patterns: list[str], local_files_only: bool = False) -> str:
        self.history.append((name, allow_patterns, local_files_only))
        if local_files_only and self.kept is None:
            raise LocalEntryNotFoundError("not kept")
        return str(self.kept if local_files_only else self.held)


def test_only_data_is_fetched_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(write("llada", tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)
    load("someone/model")
    name, patterns, is_local = hub.history[-1]
    assert (name, is_local) == ("someone/model", False)
    assert all(p.endswith((".json", ".safetensors", ".jinja", ".txt")) for p in patterns)


def test_what_is_kept_whole_asks_nobody_and_what_is_not_is_fetched_unless_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = write("llada", tmp_path / "whole"), write("llada", tmp_path / "cut")
    for file in cut.glob("*.safetensors"):
        file.unlink()
    hub = Hub(whole, kept=whole)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub)
    assert folder_of("someone/model", fetch=False) == folder_of("someone/model") == whole
    assert {is_local for *_, is_local in hub.history} == {True}
    hub.kept = cut
    with pytest.raises(ModelError, match="not whole on this machine, and offline nothing is fetched"):
        folder_of("someone/model", fetch=False)
    assert {is_local for *_, is_local in hub.history} == {True}
    assert folder_of("someone/model") == whole
    assert hub.history[-1][2] is False


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RepositoryNotFoundError(
                "404", response=httpx.Response(404, request=httpx.Request("GET", "https://hub.example"))
            ),
            "not on Hugging Face; check its name",
        ),
        (LocalEntryNotFoundError("offline"), "could not be fetched; download it elsewhere"),
        (OSError("no space left"), "could not be fetched; download it elsewhere"),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    with pytest.raises(ModelError, match=said):
        load("someone/model")


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    folder = write("llada", tmp_path / "model", auto_map={"AutoModel": "modeling_llada.LLaDAModelLM"})
    (folder / "modeling_llada.py").write_text(f"open({str(ran)!r}, 'w')\nraise SystemExit\n")
    (folder / "tokenization_llada.py").write_text(f"open({str(ran)!r}, 'w')\n")
    load(folder)
    assert not ran.exists()
