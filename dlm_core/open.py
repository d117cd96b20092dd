"""One name, one denoiser: the embedded model, a folder of its weights, or a checkpoint of any known family."""

from __future__ import annotations

import json
from pathlib import Path

from .denoiser import Denoiser
from .gemma import GemmaDenoiser
from .hosted import HostedDenoiser, PromptedDenoiser
from .models import weights
from .models.diffusion_gemma import is_gemma, load_gemma
from .models.load import folder_of, load


def open_denoiser(name: str | Path = "embedded") -> Denoiser | PromptedDenoiser:
    """ "embedded", a folder, or a Hugging Face id. WeightsError or ModelError says in a sentence what is wrong with it."""
    if name == "embedded":
        return weights.load(weights.BUNDLED)
    folder = folder_of(name)
    if is_embedded(folder):
        return weights.load(folder)
    if is_gemma(folder):
        return GemmaDenoiser(*load_gemma(folder))
    body, tokenizer = load(folder)
    return HostedDenoiser(body, tokenizer, body.config.mask, body.config.end)


def is_embedded(folder: Path) -> bool:
    """Whether a folder holds weights of the embedded model: its config.json lists shards by checksum, and no architecture."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return not (folder / "config.json").exists() and any(folder.glob("model-*.safetensors"))
    return isinstance(told, dict) and "architectures" not in told and "model_type" not in told
