"""The table of families: how each writes its config.json, its tensors and its chats. A family is a row here, not a modelling file.

Sizes come from the checkpoint. What the files of a family are known to leave out (a mask id, a block length) stands in its row as
`otherwise`, with where it was read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..canvas.tokenizer import Template
from .errors import ModelError
from .rope import Stretch
from .transformer import ExpertConfig, TransformerConfig

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    """Where a stored tensor goes: our parameter, and of a stack of experts the `index`; `rows` names the part of a fused tensor."""

    name: str
    index: int | None = None
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Family:
    """One row. `tensors` are (pattern, name) pairs: a stored name that matches goes to ours, groups filled in by `\\1`.

    `marks` are the keys that a config.json must hold beside the architecture; `chat` is what its authors tell their chat template.
    """

    name: str
    architectures: tuple[str, ...]
    read: Callable[[Config, Family], TransformerConfig]
    tensors: tuple[tuple[str, str], ...]
    template: Template
    otherwise: Mapping[str, int] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    chat: Mapping[str, bool] = field(default_factory=dict)

    def place(self, stored: str, config: TransformerConfig) -> list[Piece]:
        """Where the tensor `stored` goes; nowhere for one that this family does not have."""
        for pattern, ours in self.tensors:
            match = re.fullmatch(pattern, stored)
            if match:
                return _pieces(match.expand(ours), config)
        return []


def find(config: Config) -> Family:
    """The family of a config.json, by the architecture it names; ModelError for any other, never a guess."""
    named = _architectures(config)
    for family in FAMILIES:
        if any(a in family.architectures for a in named) and all(config.get(k) is not None for k in family.marks):
            return family
    found = ", ".join(named) or f"no architecture, model type {config.get('model_type')!r}"
    if any(a in family.architectures for family in CAUSAL for a in named):
        raise ModelError(
            f"config.json names {found}, which writes from left to right; make it a diffusion model with "
            "python -m palimpsest.dlm_core.training.adapt --from FOLDER --to block"
        )
    known = ", ".join(f.name for f in FAMILIES)
    raise ModelError(f"config.json names {found}, which is no diffusion language model known here; known are {known}")


def find_causal(config: Config) -> Family:
    """The family of an autoregressive config.json, read as blocks of one row; ModelError for one that cannot be adapted here."""
    named = [str(a) for a in config.get("architectures") or []]
    for family in CAUSAL:
        if any(a in family.architectures for a in named):
            return family
    found, known = ", ".join(named) or "no architecture", ", ".join(f.name for f in CAUSAL)
    raise ModelError(
        f"config.json names {found}, which cannot be adapted here; the autoregressive families are {known}"
    )


def _architectures(config: Config) -> list[str]:
    """What config.json calls its model; where that is a plain Llama or nothing, the class of the code that came with it."""
    named = [str(a) for a in config.get("architectures") or []]
    if named and named != ["LlamaForCausalLM"]:
        return named
    return [*(str(c).rpartition(".")[2] for c in (config.get("auto_map") or {}).values()), *named]


def read(config: Config, family: Family) -> TransformerConfig:
    """The sizes and facts of a config.json; ModelError names a key that is missing, of a wrong kind, or beyond what is built here."""
    if config.get("quantization_config"):
        raise ModelError("config.json tells of quantised weights, which are not read; use the bf16 checkpoint")
    try:
        found = family.read(config, family)
    except (TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(f"config.json holds a value that is no size ({error}); fetch it again") from error
    for key, token in (("mask", found.mask), ("end", found.end)):
        if not 0 <= token < found.vocabulary:
            raise ModelError(
                f"the {key} token {token} is beyond the {found.vocabulary} words of config.json; correct its id there"
            )
    return found


def _pieces(name: str, config: TransformerConfig) -> list[Piece]:
    if ".qkv." in name:  # query, key and value rows one below the other
        widths = [n * config.head_width for n in (config.heads, config.kv_heads, config.kv_heads)]
        starts = [0, widths[0], widths[0] + widths[1]]
        parts = zip(("query", "key", "value"), starts, widths, strict=True)
        return [Piece(name.replace(".qkv.", f".{part}."), rows=(a, a + w)) for part, a, w in parts]
    expert = re.fullmatch(r"(.*\.feed)\.(\d+)\.(gate|up|down)", name)
    if expert:
        return [Piece(f"{expert[1]}.{expert[3]}", index=int(expert[2]))]
    return [Piece(name)]


def _need(config: Config, *keys: str) -> Any:
    """The first of `keys` that config.json gives a value for."""
    for key in keys:
        if config.get(key) is not None:
            return config[key]
    raise ModelError(f"config.json lacks {keys[0]}; fetch the checkpoint's own config.json again")


def _fact(config: Config, family: Family, fact: str, *keys: str) -> int:
    """A fact of diffusion: from config.json under any of `keys`, otherwise from the family's row."""
    for key in keys:
        value = config.get(key)
        value = value[0] if isinstance(value, list) and value else value  # several ends: the first is the usual one
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    if fact in family.otherwise:
        return family.otherwise[fact]
    raise ModelError(
        f"config.json gives no {keys[0]}, and {family.name} checkpoints must; add it from the model's card"
    )


def _rope(config: Config) -> Mapping[str, Any]:
    """What config.json says of positions; its place differs between versions of transformers."""
    return {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}


def _theta(config: Config) -> float:
    return float(_rope(config).get("rope_theta") or _need(config, "rope_theta"))


def _partial(config: Config) -> float:
    return float(_rope(config).get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0)


def _stretch(config: Config) -> Stretch | None:
    """How positions are stretched; ModelError for a way that is not built here."""
    rope = _rope(config)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return None
    if kind not in ("linear", "llama3", "yarn") or any(rope.get(k) for k in ("mscale", "mscale_all_dim")):
        raise ModelError(
            f"config.json asks for {kind} rotary scaling, which is not supported; use a checkpoint without it"
        )
    factor = float(_need(rope, "factor"))
    if kind == "linear":
        return Stretch(kind, factor)
    trained = int(_need({**config, **rope}, "original_max_position_embeddings", "max_position_embeddings"))
    if kind == "llama3":
        return Stretch(
            kind, factor, trained, float(_need(rope, "low_freq_factor")), float(_need(rope, "high_freq_factor"))
        )
    slow, fast = float(rope.get("beta_slow") or 1), float(rope.get("beta_fast") or 32)
    gain = rope.get("attention_factor") or (0.1 * math.log(factor) + 1 if factor > 1 else 1.0)
    return Stretch(kind, factor, trained, slow, fast, float(gain))


def _plain(config: Config, **wanted: Any) -> None:
    """ModelError where config.json turns on what no family here has."""
    for key, value in wanted.items():
        if config.get(key) is not None and config[key] != value:
            raise ModelError(f"config.json has {key} {config[key]!r}, which is not supported; only {value!r} is")


def _usual(config: Config, family: Family, **more: Any) -> TransformerConfig:
    """Hugging Face's usual names."""
    _plain(config, hidden_act="silu", use_sliding_window=False)
    heads = int(_need(config, "num_attention_heads"))
    width = int(_need(config, "hidden_size"))
    head_width = int(config.get("head_dim") or width // heads)
    settings: dict[str, Any] = {
        "vocabulary": int(_need(config, "vocab_size")),
        "width": width,
        "layers": int(_need(config, "num_hidden_layers")),
        "heads": heads,
        "kv_heads": int(config.get("num_key_value_heads") or heads),
        "head_width": head_width,
        "feed_forward": int(config.get("intermediate_size") or 0),
        "mask": _fact(config, family, "mask", "mask_token_id", "mask_id"),
        "end": _fact(config, family, "end", "eos_token_id"),
        "norm_epsilon": float(_need(config, "rms_norm_eps")),
        "expand": config.get("expand_token_id"),
        "rope_theta": _theta(config),
        "stretch": _stretch(config),
        "qkv_bias": bool(config.get("attention_bias", False)),
        "output_bias": bool(config.get("attention_bias", False)),
        "tied": bool(config.get("tie_word_embeddings", False)),
        "max_positions": int(config.get("max_position_embeddings") or 4096),
    }
    return TransformerConfig(**{**settings, **more})


def _llada(config: Config, family: Family) -> TransformerConfig:
    """OLMo's names (GSAI-ML/LLaDA-8B). Only its plain form: RMS norm, rotary positions, no biases, SiLU, block type llama."""
    _plain(config, block_type="llama", activation_type="silu", layer_norm_type="rms", rope=True, alibi=False)
    _plain(config, multi_query_attention=False, input_emb_norm=False, scale_logits=False)
    heads, width = int(_need(config, "n_heads")), int(_need(config, "d_model"))
    return TransformerConfig(
        vocabulary=int(config.get("embedding_size") or _need(config, "vocab_size")),
        width=width,
        layers=int(_need(config, "n_layers")),
        heads=heads,
        kv_heads=int(config.get("n_kv_heads") or heads),
        head_width=width // heads,
        feed_forward=int(_need(config, "mlp_hidden_size")),
        mask=_fact(config, family, "mask", "mask_token_id"),
        end=_fact(config, family, "end", "eos_token_id"),
        norm_epsilon=float(_need(config, "rms_norm_eps", "layer_norm_eps")),
        rope_theta=_theta(config),
        stretch=_stretch(config),
        qkv_bias=bool(config.get("include_qkv_bias", False)),
        tied=bool(config.get("weight_tying", False)),
        max_positions=int(config.get("max_sequence_length") or 4096),
    )


def _llada_moe(config: Config, family: Family) -> TransformerConfig:
    """LLaDA-MoE: OLMoE with norms of queries and keys. Its reference never normalises the weights, whatever norm_topk_prob says."""
    layers = int(_need(config, "num_hidden_layers"))
    sparse = [bool(f) for f in config.get("moe_layer_freq") or [1] * layers]
    dense = sparse.index(True) if True in sparse else layers
    if not all(sparse[dense:]):
        raise ModelError(
            "config.json mixes dense layers among those with experts; only dense layers first are supported"
        )
    experts = ExpertConfig(
        count=int(_need(config, "num_experts")),
        per_token=int(_need(config, "num_experts_per_tok")),
        width=int(_need(config, "expert_intermediate_size")),
        biased=bool(config.get("moe_router_enable_expert_bias")),
        shared_width=int(config.get("shared_expert_intermediate_size") or 0),
        dense_layers=dense,
    )
    return _usual(
        config,
        family,
        feed_forward=int(config.get("dense_intermediate_size") or 0),
        qk_norm=bool(config.get("qk_layernorm")),
        clip=float(config.get("clip_qkv") or 0.0),
        experts=experts,
    )


def _llada2(config: Config, family: Family) -> TransformerConfig:
    """LLaDA2.0 and 2.1: sigmoid scores, groups of experts, a bias that only chooses, a shared part, half of each head rotated."""
    width = int(_need(config, "moe_intermediate_size"))
    experts = ExpertConfig(
        count=int(_need(config, "num_experts")),
        per_token=int(_need(config, "num_experts_per_tok")),
        width=width,
        score="sigmoid",
        groups=int(config.get("n_group") or 1),
        groups_kept=int(config.get("topk_group") or 1),
        biased=True,
        normalised=True,
        scaling=float(config.get("routed_scaling_factor") or 1.0),
        shared_width=width * int(config.get("num_shared_experts") or 0),
        dense_layers=int(config.get("first_k_dense_replace") or 0),
    )
    heads = int(_need(config, "num_attention_heads"))
    head_width = int(config.get("head_dim") or int(_need(config, "hidden_size")) // heads)
    return _usual(
        config,
        family,
        qk_norm=bool(config.get("use_qk_norm", True)),
        qkv_bias=bool(config.get("use_qkv_bias", False)),
        output_bias=bool(config.get("use_bias", False)),
        rotary_width=int(head_width * _partial(config)),
        block_length=_fact(config, family, "block_length", "block_length", "block_size"),
        experts=experts,
    )


def _dream(config: Config, family: Family) -> TransformerConfig:
    return _usual(config, family, qkv_bias=True, output_bias=False, shift=1)


def _fast_dllm(config: Config, family: Family) -> TransformerConfig:
    length = _fact(config, family, "block_length", "bd_size", "block_size")
    return _usual(config, family, qkv_bias=True, output_bias=False, shift=1, block_length=length)


def _a2d_qwen2(config: Config, family: Family) -> TransformerConfig:
    return _usual(config, family, qkv_bias=True, output_bias=False)


def _a2d_qwen3(config: Config, family: Family) -> TransformerConfig:
    return _usual(config, family, qk_norm=True)


def _sdar(config: Config, family: Family) -> TransformerConfig:
    length = _fact(config, family, "block_length", "block_size", "block_length", "bd_size")
    return _usual(config, family, qk_norm=True, block_length=length)


def _diffcoder(config: Config, family: Family) -> TransformerConfig:
    return _usual(config, family, **_blocks(config, family))


def _qwen2_blocks(config: Config, family: Family) -> TransformerConfig:
    return _usual(config, family, qkv_bias=True, output_bias=False, **_blocks(config, family))


def _qwen3_blocks(config: Config, family: Family) -> TransformerConfig:
    return _usual(config, family, qk_norm=True, **_blocks(config, family))


def _blocks(config: Config, family: Family) -> dict[str, int]:
    """How long blocks are, and whether a place is read off the row before it, as of a model that `training.adapt` made."""
    length = _fact(config, family, "block_length", "block_length", "block_size")
    return {"block_length": length, "shift": int(config.get("shift") or 0)}


def _causal(read: Callable[[Config, Family], TransformerConfig]) -> Callable[[Config, Family], TransformerConfig]:
    return lambda config, family: replace(read(config, family), shift=1)


_LAYER = r"model\.layers\.(\d+)\."
_USUAL = (
    (r"model\.embed_tokens\.weight", "embedding.weight"),
    (r"model\.norm\.weight", "norm.weight"),
    (r"lm_head\.weight", "head.weight"),
    (_LAYER + r"input_layernorm\.weight", r"blocks.\1.attention_norm.weight"),
    (_LAYER + r"post_attention_layernorm\.weight", r"blocks.\1.feed_norm.weight"),
    (_LAYER + r"self_attn\.q_proj\.(weight|bias)", r"blocks.\1.attention.query.\2"),
    (_LAYER + r"self_attn\.k_proj\.(weight|bias)", r"blocks.\1.attention.key.\2"),
    (_LAYER + r"self_attn\.v_proj\.(weight|bias)", r"blocks.\1.attention.value.\2"),
    (_LAYER + r"self_attn\.o_proj\.(weight|bias)", r"blocks.\1.attention.output.\2"),
    (_LAYER + r"self_attn\.q_norm\.weight", r"blocks.\1.attention.query_norm.weight"),
    (_LAYER + r"self_attn\.k_norm\.weight", r"blocks.\1.attention.key_norm.weight"),
    (_LAYER + r"mlp\.(gate|up|down)_proj\.weight", r"blocks.\1.feed.\2.weight"),
)
_EXPERTS = (
    (_LAYER + r"mlp\.gate\.weight", r"blocks.\1.feed.router.weight"),
    (_LAYER + r"mlp\.(?:gate\.)?expert_bias", r"blocks.\1.feed.bias"),
    (_LAYER + r"mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight", r"blocks.\1.feed.\2.\3"),
    (_LAYER + r"(?:mlp\.)?shared_experts?\.(gate|up|down)_proj\.weight", r"blocks.\1.feed.shared.\2.weight"),
)
_LLADA2 = (
    (r"model\.word_embeddings\.weight", "embedding.weight"),
    (_LAYER + r"attention\.query_key_value\.(weight|bias)", r"blocks.\1.attention.qkv.\2"),
    (_LAYER + r"attention\.dense\.(weight|bias)", r"blocks.\1.attention.output.\2"),
    (_LAYER + r"attention\.query_layernorm\.weight", r"blocks.\1.attention.query_norm.weight"),
    (_LAYER + r"attention\.key_layernorm\.weight", r"blocks.\1.attention.key_norm.weight"),
)
_OLMO = r"model\.transformer\.blocks\.(\d+)\."
_LLADA = (
    (r"model\.transformer\.wte\.weight", "embedding.weight"),
    (r"model\.transformer\.ln_f\.weight", "norm.weight"),
    (r"model\.transformer\.ff_out\.weight", "head.weight"),
    (_OLMO + r"attn_norm\.weight", r"blocks.\1.attention_norm.weight"),
    (_OLMO + r"ff_norm\.weight", r"blocks.\1.feed_norm.weight"),
    (_OLMO + r"q_proj\.(weight|bias)", r"blocks.\1.attention.query.\2"),
    (_OLMO + r"k_proj\.(weight|bias)", r"blocks.\1.attention.key.\2"),
    (_OLMO + r"v_proj\.(weight|bias)", r"blocks.\1.attention.value.\2"),
    (_OLMO + r"attn_out\.weight", r"blocks.\1.attention.output.weight"),
    (_OLMO + r"ff_proj\.weight", r"blocks.\1.feed.gate.weight"),
    (_OLMO + r"up_proj\.weight", r"blocks.\1.feed.up.weight"),
    (_OLMO + r"ff_out\.weight", r"blocks.\1.feed.down.weight"),
)

_LLAMA3_CHAT = Template(
    "<|startoftext|><|start_header_id|>user<|end_header_id|>\n\n",
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|eot_id|>",
)
_CHATML = Template("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>")
_ROLES = Template("<role>HUMAN</role>", "<|role_end|><role>ASSISTANT</role>", "<|role_end|>")
_PLAIN = Template("", "\n\n")

_ADAPTED = ("mask_token_id", "block_length")

FAMILIES = (
    Family("LLaDA", ("LLaDAModelLM",), _llada, _LLADA, _LLAMA3_CHAT),
    # mask: the model's README; neither config.json nor the tokenizer names it. The head is tied, and may be stored all the same.
    Family("iLLaDA", ("ILLaDAForCausalLM",), _usual, _USUAL, _PLAIN, {"mask": 5}),
    Family("Dream", ("DreamModel",), _dream, _USUAL, _CHATML),
    # mask and end: the released tokenizer; the configuration class has no default for either
    Family(
        "LLaDA-MoE",
        ("LLaDAMoEModelLM",),
        _llada_moe,
        (*_USUAL, *_EXPERTS),
        _ROLES,
        {"mask": 156895, "end": 156892},
    ),
    # mask and block length: the authors' report and sampler
    Family(
        "LLaDA2",
        ("LLaDA2MoeModelLM",),
        _llada2,
        (*_USUAL, *_EXPERTS, *_LLADA2),
        _ROLES,
        {"mask": 156895, "end": 156892, "block_length": 32},
    ),
    Family("SDAR", ("SDARForCausalLM",), _sdar, _USUAL, _CHATML, {"mask": 151669, "block_length": 4}),
    # mask and block length: the defaults of the sampler in its authors' modelling file, which no other file of the checkpoint gives
    Family(
        "Stable-DiffCoder",
        ("StableDiffcoderForCausalLM", "SeedDiffcoderForCausalLM"),
        _diffcoder,
        _USUAL,
        _PLAIN,
        {"mask": 5, "block_length": 4},
    ),
    # any of these whose owner, or `training.adapt`, wrote the facts of diffusion into config.json
    Family("Llama with blocks", ("LlamaForCausalLM",), _diffcoder, _USUAL, _PLAIN, {}, _ADAPTED),
    Family("Qwen2 with blocks", ("Qwen2ForCausalLM",), _qwen2_blocks, _USUAL, _CHATML, {}, _ADAPTED),
    Family("Qwen3 with blocks", ("Qwen3ForCausalLM",), _qwen3_blocks, _USUAL, _CHATML, {}, _ADAPTED),
    Family(
        "Fast-dLLM-v2",
        ("Fast_dLLM_QwenForCausalLM",),
        _fast_dllm,
        _USUAL,
        _CHATML,
        {"mask": 151665, "block_length": 32},
    ),
    # mask: the tokenizer's mask token
    Family("A2D Qwen2", ("A2DQwen2LMHeadModel",), _a2d_qwen2, _USUAL, _CHATML),
    Family("A2D Qwen3", ("A2DQwen3LMHeadModel",), _a2d_qwen3, _USUAL, _CHATML, chat={"enable_thinking": False}),
)

# What writes from left to right is a model of blocks of one row that reads each word off the row before. It has no mask token.
_ROW_BY_ROW = {"mask": 0, "block_length": 1}
CAUSAL = (
    Family("Llama", ("LlamaForCausalLM",), _causal(_diffcoder), _USUAL, _PLAIN, _ROW_BY_ROW),
    Family("Qwen2", ("Qwen2ForCausalLM",), _causal(_qwen2_blocks), _USUAL, _CHATML, _ROW_BY_ROW),
    Family("Qwen3", ("Qwen3ForCausalLM",), _causal(_qwen3_blocks), _USUAL, _CHATML, _ROW_BY_ROW),
)
