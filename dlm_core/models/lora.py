"""Low-rank adapters (LoRA, arXiv 2106.09685) on a hosted body. Training goes through peft, whose one door this is; a merged adapter
needs nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from .errors import ModelError
from .transformer import Transformer

# Attention and feed-forward of every layer, a shared expert among them. Routers and routed experts stay as they are.
LINEAR = r"blocks\.\d+\.(attention\.(query|key|value|output)|feed\.(shared\.)?(gate|up|down))"
MISFIT = "does not fit this model; open it with the model it was trained on"
_STORED = {"lora_A.default.weight": "lora_A", "lora_B.default.weight": "lora_B"}


def attach(body: Transformer, rank: int, alpha: float) -> None:
    """Put adapters beside the linear layers of `body`, in place: they alone are trained, in fp32, and begin as no change at all.

    ModelError where peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ModelError("fine-tuning needs peft; install it with pip install peft accelerate") from error
    settings = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=LINEAR)  # type: ignore[arg-type]
    inject_adapter_in_model(settings, body)
    for name, parameter in body.named_parameters():
        parameter.requires_grad_("lora_" in name)
        if "lora_" in name:
            parameter.data = parameter.data.float()


def adapter_of(body: Transformer) -> dict[str, Tensor]:
    """The trained matrices by the layer they belong to: `<layer>.lora_A` [rank, in] and `<layer>.lora_B` [out, rank]."""
    matrices = {}
    for name, parameter in body.named_parameters():
        for inside, stored in _STORED.items():
            if name.endswith(inside):
                matrices[name.removesuffix(inside) + stored] = parameter.detach()
    return matrices


@torch.no_grad()
def restore(body: Transformer, stored: Mapping[str, Tensor]) -> None:
    """Put matrices of `adapter_of` back into a body with adapters. ModelError when they are of other layers or another rank."""
    held = adapter_of(body)
    for name, matrix in held.items():
        if name not in stored or stored[name].shape != matrix.shape:
            raise ModelError(f"{name} {MISFIT}")
    for name, matrix in held.items():
        matrix.copy_(stored[name])


@torch.no_grad()
def merge(body: Transformer, stored: Mapping[str, Tensor], scale: float) -> None:
    """Add scale * B A to the weights of a body without adapters, in place.

    ModelError when the adapter is not of such a body, which is then as it was.
    """
    weights, sums = dict(body.named_parameters()), {}
    for name, low in stored.items():
        layer, _, which = name.rpartition(".")
        if which != "lora_A":
            continue
        weight, high = weights.get(f"{layer}.weight"), stored.get(f"{layer}.lora_B")
        if weight is None or high is None or weight.shape != (high.shape[0], low.shape[1]):
            raise ModelError(f"the adapter's {layer} {MISFIT}")
        sums[layer] = (weight, low, high)
    if not sums:
        raise ModelError("there are no adapter matrices among these tensors; export the adapter again")
    for weight, low, high in sums.values():
        weight.add_((scale * (high.float() @ low.float())).to(weight))


def save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # safetensors writes files that only their owner may read


def names(path: Path) -> list[str]:
    """What a file holds, without reading it. ModelError when it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as opened:
            return list(opened.keys())
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is missing or damaged; export the adapter again") from error


def load(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; errors as of `names`."""
    names(path)
    return load_file(path)
