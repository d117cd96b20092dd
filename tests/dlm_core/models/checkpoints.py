"""Tiny checkpoints of every family in its own format; weights follow a formula, so that golden vectors need store none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from safetensors.torch import save_file
from torch import Tensor

VOCABULARY = 320
USUAL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "mask_token_id": 3,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
UNMASKED = {k: v for k, v in USUAL.items() if k != "mask_token_id"}
MOE = {
    "num_experts": 8,
    "num_experts_per_tok": 2,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "llada": {
        "architectures": ["LLaDAModelLM"],
        "model_type": "llada",
        "d_model": 32,
        "n_layers": 2,
        "n_heads": 4,
        "n_kv_heads": 4,
        "mlp_hidden_size": 48,
        "activation_type": "silu",
        "block_type": "llama",
        "layer_norm_type": "rms",
        "rms_norm_eps": 1e-5,
        "rope": True,
        "rope_theta": 500000.0,
        "rope_full_precision": True,
        "vocab_size": VOCABULARY,
        "embedding_size": VOCABULARY,
        "max_sequence_length": 512,
        "mask_token_id": 3,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "weight_tying": False,
        "include_bias": False,
    },
    "illada": {
        **UNMASKED,
        "architectures": ["ILLaDAForCausalLM"],
        "model_type": "illada",
        "tie_word_embeddings": True,
        "layer_norm_eps": None,
        "attention_bias": False,
        "mlp_bias": False,
    },
    "dream": {**USUAL, "architectures": ["DreamModel"], "model_type": "Dream"},
    "llada_moe": {
        **USUAL,
        **MOE,
        "architectures": ["LLaDAMoEModelLM"],
        "model_type": "llada",
        "num_key_value_heads": 4,
        "expert_intermediate_size": 16,
        "dense_intermediate_size": 48,
        "shared_expert_intermediate_size": None,
        "qk_layernorm": True,
        "moe_layer_freq": [1, 1],
        "norm_topk_prob": None,
        "partial_rotary_factor": 1,
    },
    "llada2": {
        **USUAL,
        **MOE,
        "architectures": ["LLaDA2MoeModelLM"],
        "model_type": "llada2_moe",
        "head_dim": 8,
        "moe_intermediate_size": 16,
        "num_shared_experts": 1,
        "n_group": 4,
        "topk_group": 2,
        "first_k_dense_replace": 1,
        "routed_scaling_factor": 2.5,
        "partial_rotary_factor": 0.5,
        "use_qk_norm": True,
        "use_qkv_bias": False,
        "use_bias": False,
        "norm_topk_prob": True,
        "block_length": 32,
    },
    "sdar": {**USUAL, "architectures": ["SDARForCausalLM"], "model_type": "sdar", "head_dim": 16, "block_size": 4},
    "diffcoder": {
        **UNMASKED,
        "architectures": ["StableDiffcoderForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "layer_norm_eps": None,
    },
    "fast_dllm": {
        **USUAL,
        "architectures": ["Fast_dLLM_QwenForCausalLM"],
        "model_type": "Fast_dLLM_Qwen",
        "bd_size": 32,
    },
    "a2d_qwen2": {**UNMASKED, "architectures": ["A2DQwen2LMHeadModel"], "model_type": "a2d-qwen2"},
    "a2d_qwen3": {**UNMASKED, "architectures": ["A2DQwen3LMHeadModel"], "model_type": "a2d-qwen3", "head_dim": 16},
}
FAMILIES = tuple(CONFIGS)
# What a released LLaDA-MoE may turn on: a dense layer first, a part that every token passes, a bias on the router, clipping.
FULL_MOE = {
    "moe_layer_freq": [0, 1],
    "dense_intermediate_size": 40,
    "shared_expert_intermediate_size": 24,
    "moe_router_enable_expert_bias": True,
    "clip_qkv": 0.5,
}


def value(name: str, shape: tuple[int, ...]) -> Tensor:
    """Well-mixed numbers that depend on the name and place alone: norms near 1, everything else in (-0.25, 0.25)."""
    size = int(torch.tensor(shape).prod())
    phase = (torch.arange(1, size + 1, dtype=torch.float64) * 12.9898 + crc32(name.encode()) % 1000 * 78.233).sin()
    mixed = (phase * 43758.5453).frac().remainder(1.0) - 0.5
    scaled = 1 + 0.2 * mixed if "norm" in name or "ln_f" in name else 0.5 * mixed
    return scaled.reshape(shape).float()


def shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The stored names of a checkpoint and their shapes, as its family writes them."""
    return _llada(config) if "d_model" in config else _usual(config)


def _llada(c: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    width, inner, words = c["d_model"], c["mlp_hidden_size"], c["vocab_size"]
    kept = c["n_kv_heads"] * width // c["n_heads"]
    top = {"wte": (words, width), "ln_f": (width,), "ff_out": (words, width)}
    layer = {"attn_norm": (width,), "ff_norm": (width,), "q_proj": (width, width), "k_proj": (kept, width)}
    layer |= {"v_proj": (kept, width), "attn_out": (width, width), "ff_proj": (inner, width), "up_proj": (inner, width)}
    layer |= {"ff_out": (width, inner)}
    named = {f"model.transformer.{n}.weight": s for n, s in top.items()}
    for i in range(c["n_layers"]):
        named |= {f"model.transformer.blocks.{i}.{n}.weight": s for n, s in layer.items()}
    return named


def _usual(c: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    width, words, two = c["hidden_size"], c["vocab_size"], c["model_type"] == "llada2_moe"
    named: dict[str, tuple[int, ...]] = {"model.norm.weight": (width,)}
    named["model.word_embeddings.weight" if two else "model.embed_tokens.weight"] = (words, width)
    if not c["tie_word_embeddings"]:
        named["lm_head.weight"] = (words, width)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}"
        named |= {f"{at}.input_layernorm.weight": (width,), f"{at}.post_attention_layernorm.weight": (width,)}
        named |= {f"{at}.{n}": s for n, s in (_fused(c) if two else _attention(c)).items()}
        named |= {f"{at}.mlp.{n}": s for n, s in _feed(c, i).items()}
        if c.get("shared_expert_intermediate_size") and _is_sparse(c, i):
            named |= {
                f"{at}.{n}": s for n, s in _gated("shared_expert.", width, c["shared_expert_intermediate_size"]).items()
            }
    return named


def _is_sparse(c: dict[str, Any], layer: int) -> bool:
    if "moe_layer_freq" in c:
        return bool(c["moe_layer_freq"][layer])
    return "num_experts" in c and layer >= c.get("first_k_dense_replace", 0)


def _head(c: dict[str, Any]) -> int:
    return int(c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"])


def _attention(c: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    width, head = c["hidden_size"], _head(c)
    rows = {
        "q": c["num_attention_heads"] * head,
        "k": c["num_key_value_heads"] * head,
        "v": c["num_key_value_heads"] * head,
    }
    named: dict[str, tuple[int, ...]] = {f"self_attn.{n}_proj.weight": (r, width) for n, r in rows.items()}
    named["self_attn.o_proj.weight"] = (width, rows["q"])
    if c["model_type"] in ("Dream", "Fast_dLLM_Qwen", "a2d-qwen2"):
        named |= {f"self_attn.{n}_proj.bias": (r,) for n, r in rows.items()}
    if c["model_type"] in ("sdar", "a2d-qwen3") or c.get("qk_layernorm"):
        named |= {f"self_attn.{n}_norm.weight": (head,) for n in "qk"}
    return named


def _fused(c: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    head, width = _head(c), c["hidden_size"]
    rows = (c["num_attention_heads"] + 2 * c["num_key_value_heads"]) * head
    return {
        "attention.query_key_value.weight": (rows, width),
        "attention.dense.weight": (width, c["num_attention_heads"] * head),
        "attention.query_layernorm.weight": (head,),
        "attention.key_layernorm.weight": (head,),
    }


def _feed(c: dict[str, Any], layer: int) -> dict[str, tuple[int, ...]]:
    width = c["hidden_size"]
    if not _is_sparse(c, layer):
        return _gated("", width, c.get("dense_intermediate_size") or c["intermediate_size"])
    inner = c.get("moe_intermediate_size") or c["expert_intermediate_size"]
    named: dict[str, tuple[int, ...]] = {"gate.weight": (c["num_experts"], width)}
    for e in range(c["num_experts"]):
        named |= _gated(f"experts.{e}.", width, inner)
    if c.get("num_shared_experts"):
        named |= _gated("shared_experts.", width, inner * c["num_shared_experts"])
        named["gate.expert_bias"] = (c["num_experts"],)
    if c.get("moe_router_enable_expert_bias"):
        named["expert_bias"] = (c["num_experts"],)
    return named


def _gated(prefix: str, width: int, inner: int) -> dict[str, tuple[int, ...]]:
    up, down = (inner, width), (width, inner)
    return {f"{prefix}gate_proj.weight": up, f"{prefix}up_proj.weight": up, f"{prefix}down_proj.weight": down}


def write(family: str, folder: Path, shards: int = 2, **overrides: Any) -> Path:
    """A checkpoint of `family` in `folder`: config.json, shards with their index, tokenizer.json and what a family needs beside it."""
    config = {**CONFIGS[family], **overrides}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    stored = {name: value(name, shape) for name, shape in shapes(config).items()}
    write_shards(folder, stored, shards)
    write_tokenizer(folder / "tokenizer.json")
    if family.startswith("a2d"):  # whose config.json has no mask id
        (folder / "tokenizer_config.json").write_text(json.dumps({"mask_token": "<|mask|>"}))
    return folder


def write_shards(folder: Path, stored: dict[str, Tensor], shards: int = 2) -> None:
    names, where = sorted(stored), {}
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        part = {n: stored[n] for n in names[number::shards]}
        save_file(part, folder / file)
        where |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


SPECIAL = (
    "<pad> <|startoftext|> <|endoftext|> <|mask|> <|im_start|> <|im_end|> <|eot_id|> <|start_header_id|> <|end_header_id|> "
    "<role> </role> <|role_end|>"
).split()


def letters() -> list[str]:
    """What a byte-level BPE spells the 256 bytes with."""
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def write_tokenizer(path: Path) -> None:
    """A byte-level BPE without merges: every byte is a token, and the special tokens of all families are there."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    words = {token: number for number, token in enumerate([*SPECIAL, *letters()])}
    backend = Tokenizer(models.BPE(vocab=words, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(t, special=True) for t in SPECIAL])
    backend.save(str(path))
