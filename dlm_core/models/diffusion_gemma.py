"""DiffusionGemma through transformers' own class: a causal encoder whose keys and values a bidirectional decoder of one canvas reads.

Its noise is uniform: there is no mask token, an open place holds any word at all, drawn anew at every step.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..tokenizer import ChatTokenizer, Template
from .errors import ModelError
from .load import open_tokenizer, read_json

ARCHITECTURE = "DiffusionGemmaForBlockDiffusion"
TEMPLATE = Template("<bos><start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>")


@dataclass(frozen=True)
class Prefix:
    """Encoded tokens and the encoder's cache of them; `encoded` of them were computed by the call that made this."""

    tokens: tuple[int, ...]
    cache: Any
    encoded: int


class DiffusionGemma:
    """Encoder and decoder with plain tensors at the border. `length` is the longest canvas, in tokens."""

    def __init__(self, model: Any):
        self.model = model.eval()
        self.config = model.config
        self.length: int = model.config.canvas_length
        text = model.config.text_config
        self.vocabulary, self.pad, self.end = text.vocab_size, _first(text.pad_token_id), _first(text.eos_token_id)

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    def prefix(self, tokens: Sequence[int], old: Prefix | None = None) -> Prefix:
        """Encode `tokens`. When they go on from `old`, only what is new is encoded: the encoder is causal, so that is exact."""
        from transformers import DynamicCache

        told = tuple(tokens)
        if old is not None and told == old.tokens:
            return Prefix(told, old.cache, 0)
        goes_on = old is not None and told[: len(old.tokens)] == old.tokens
        # The class writes into the cache that it is given; another branch may still read the old one.
        cache = (
            copy.deepcopy(old.cache)
            if old and goes_on
            else DynamicCache(config=self.config.get_text_config(decoder=True))
        )
        fresh = told[len(old.tokens) :] if old and goes_on else told
        places = torch.arange(len(told) - len(fresh), len(told), device=self.device)[None]
        ids = torch.tensor([fresh], device=self.device)
        encoder = self.model.model.encoder
        masks = encoder.create_masks_for_generate(
            config=self.config,
            inputs_embeds=torch.empty(1, len(fresh), 0, dtype=self.model.dtype, device=self.device),
            attention_mask=torch.ones(1, len(told), dtype=torch.bool, device=self.device),
            past_key_values=cache,
            position_ids=places,
        )
        encoder(input_ids=ids, attention_mask=masks, past_key_values=cache, position_ids=places)
        return Prefix(told, cache, len(fresh))

    def logits(self, canvas: Tensor, prefix: Prefix, conditioning: Tensor | None = None) -> Tensor:
        """Logits [T, V] of the canvas's tokens [T] beside the prefix; `conditioning` [T, V] are those of the step before."""
        places = torch.arange(len(prefix.tokens), len(prefix.tokens) + len(canvas), device=self.device)[None]
        told = self.model(
            past_key_values=prefix.cache,
            decoder_input_ids=canvas.to(self.device)[None],
            decoder_position_ids=places,
            self_conditioning_logits=None if conditioning is None else conditioning.to(self.device)[None],
        )
        return told.logits[0]


def _first(ids: int | list[int] | None) -> int:
    return ids[0] if isinstance(ids, list) else int(ids or 0)


def is_gemma(folder: Path) -> bool:
    path = folder / "config.json"
    return path.exists() and ARCHITECTURE in (read_json(path).get("architectures") or [])


def load_gemma(
    folder: Path, dtype: torch.dtype | None = None, device: str | torch.device | None = None
) -> tuple[DiffusionGemma, ChatTokenizer]:
    """The model in `folder` by transformers' own class, never by code from the folder. ModelError names what is missing."""
    from transformers import DiffusionGemmaForBlockDiffusion

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    chosen = dtype or (torch.bfloat16 if where.type == "cuda" else torch.float32)
    try:
        opened: Any = DiffusionGemmaForBlockDiffusion.from_pretrained(
            folder, dtype=chosen, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{folder} cannot be read as DiffusionGemma ({str(error).splitlines()[0]}); fetch it again"
        ) from error
    model, told = opened
    if told["missing_keys"]:
        raise ModelError(
            f"{folder.name} lacks the weights of {sorted(told['missing_keys'])[0]}; fetch the whole checkpoint"
        )
    return DiffusionGemma(model.to(where)), open_tokenizer(folder, TEMPLATE)
