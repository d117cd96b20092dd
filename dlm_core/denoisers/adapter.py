"""A fine-tuned adapter as a folder: adapter.json, adapter.safetensors. It is opened by its own name, and brings its base with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor, nn

from ..models import lora
from ..models.checkpoint import read_json
from ..models.errors import ModelError
from ..models.transformer import Transformer
from .hosted import HostedDenoiser

FACTS, TENSORS = "adapter.json", "adapter.safetensors"
QUALITY = "quality."


@dataclass(frozen=True)
class AdapterFacts:
    """Which model an adapter belongs to (`base`: a folder or Hugging Face id), its form, and how it was made."""

    base: str
    family: str
    rank: int
    alpha: float
    training: dict[str, float] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


def is_adapter(folder: Path) -> bool:
    return (folder / FACTS).exists()


def read_facts(folder: Path) -> AdapterFacts:
    """ModelError when the file is missing, damaged or of another make."""
    stored = read_json(folder / FACTS)
    try:
        return AdapterFacts(**stored)
    except TypeError as error:
        raise ModelError(f"{folder / FACTS} is not of this format ({error}); export the adapter again") from error


def check_adapter(folder: Path) -> AdapterFacts:
    """The facts of an adapter whose tensors are there and can be read; ModelError otherwise."""
    facts = read_facts(folder)
    lora.names(folder / TENSORS)
    return facts


def save_adapter(folder: Path, facts: AdapterFacts, tensors: Mapping[str, Tensor]) -> None:
    """Write an adapter and its quality head; the facts last, so that a folder with facts is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    lora.save(folder / TENSORS, tensors)
    partial = (folder / FACTS).with_suffix(".tmp")
    partial.write_text(json.dumps(asdict(facts), indent=1))
    partial.replace(folder / FACTS)


def with_adapter(denoiser: HostedDenoiser, folder: Path) -> HostedDenoiser:
    """The denoiser with the adapter of `folder` merged into its weights, which change in place, and its quality head.

    ModelError when the folder holds no adapter, or one of another model; the weights are then as they were.
    """
    facts, stored = read_facts(folder), lora.load(folder / TENSORS)
    body = denoiser.body
    assert isinstance(body, Transformer)
    quality = quality_head(body)
    put_quality(quality, stored)
    lora.merge(body, stored, facts.scale)
    denoiser.quality = quality
    return denoiser


def quality_head(body: Transformer) -> nn.Linear:
    """Log-odds that the word that stands at a place is right, from the place's final hidden state (PRISM, arXiv 2510.01384)."""
    return nn.Linear(body.config.width, 1, device=body.norm.weight.device).requires_grad_(False)


def quality_of(head: nn.Linear) -> dict[str, Tensor]:
    """The head's tensors by their stored names."""
    return {QUALITY + name: tensor for name, tensor in head.state_dict().items()}


def put_quality(head: nn.Linear, stored: Mapping[str, Tensor]) -> None:
    """Put tensors of `quality_of` back. ModelError when they are missing or of another width."""
    try:
        head.load_state_dict({n.removeprefix(QUALITY): t for n, t in stored.items() if n.startswith(QUALITY)})
    except RuntimeError as error:
        raise ModelError(f"the quality head {lora.MISFIT}") from error
