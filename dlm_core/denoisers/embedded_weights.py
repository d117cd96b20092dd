"""Weights on disk: int8 rows with fp16 scales in checksummed safetensors shards, and back to fp32 in memory."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..canvas.tokenizer import load_tokenizer
from ..models.embedded import EmbeddedConfig, EmbeddedModel
from .embedded import Denoiser
from .slot_calibration import UNMEASURED, Calibration

BUNDLED = Path(__file__).parents[1] / "weights" / "embedded"
SHARD_BYTES = 12 * 2**20
CALIBRATION = "calibration.json"


class WeightsError(Exception):
    """A weights folder that is missing something or does not match its checksums; the message names the mend."""


def quantize(tensor: Tensor) -> dict[str, Tensor]:
    """A matrix as int8 rows and a fp16 scale per row; vectors as fp16."""
    if tensor.ndim < 2:
        return {"": tensor.half()}
    scale = (tensor.abs().amax(1, keepdim=True) / 127).clamp_min(1e-6).half()
    return {".int8": (tensor / scale.float()).round().clamp(-127, 127).to(torch.int8), ".scale": scale}


def dequantize(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The fp32 state dict that `quantize` stored."""
    state = {}
    for name, tensor in tensors.items():
        if name.endswith(".int8"):
            stem = name.removesuffix(".int8")
            state[stem] = tensor.float().mul_(tensors[f"{stem}.scale"].float())
        elif not name.endswith(".scale"):
            state[name] = tensor.float()
    return state


def save(
    model: EmbeddedModel,
    tokenizer_json: Path,
    folder: Path,
    facts: dict[str, object],
    calibration: Calibration = UNMEASURED,
) -> None:
    """Write shards, config.json (sizes, `facts`, SHA-256 of every file), tokenizer.json and calibration.json into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer_json, folder / "tokenizer.json")
    calibration.save(folder / CALIBRATION)
    shards: list[dict[str, Tensor]] = [{}]
    for name, tensor in model.state_dict().items():
        parts = {name + suffix: part.contiguous() for suffix, part in quantize(tensor).items()}
        if _bytes(shards[-1]) + _bytes(parts) > SHARD_BYTES and shards[-1]:
            shards.append({})
        shards[-1].update(parts)
    names = [f"model-{n + 1:05}-of-{len(shards):05}.safetensors" for n in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name)
        (folder / name).chmod(0o644)  # safetensors writes files that only their owner may read
    sums = {name: _sha256(folder / name) for name in ["tokenizer.json", CALIBRATION, *names]}
    config = {"model": model.config.to_dict(), "shards": names, "sha256": sums, **facts}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def check(folder: Path = BUNDLED) -> dict[str, object]:
    """The config of a weights folder whose files are all there and match their checksums; WeightsError otherwise."""
    try:
        config = dict(json.loads((folder / "config.json").read_text()))
        for name, expected in config["sha256"].items():
            if _sha256(folder / name) != expected:
                raise WeightsError(f"{name} in {folder} does not match its checksum; reinstall palimpsest-research")
    except FileNotFoundError as error:
        raise WeightsError(f"{error.filename} is missing; reinstall, or give --model a folder of weights") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # not JSON, not UTF-8, or not an object of ours
        raise WeightsError(f"config.json in {folder} is damaged; reinstall palimpsest-research") from error
    return config


def load(folder: Path = BUNDLED) -> Denoiser:
    """The denoiser stored in `folder`, in fp32 on the CPU."""
    config = check(folder)
    shards = config["shards"]
    assert isinstance(shards, list)
    stored: dict[str, Tensor] = {}
    for name in shards:
        stored.update(load_file(folder / name))
    with torch.device("meta"):
        model = EmbeddedModel(EmbeddedConfig(**config["model"]))  # type: ignore[arg-type]
    model.load_state_dict(dequantize(stored), assign=True)
    return Denoiser(model, load_tokenizer(folder / "tokenizer.json"), _calibration(folder))


def _calibration(folder: Path) -> Calibration:
    """What was measured of the model; weights of before there was such a file go uncalibrated."""
    if not (folder / CALIBRATION).exists():
        return UNMEASURED
    try:
        return Calibration.load(folder / CALIBRATION)
    except ValueError as error:
        raise WeightsError(f"{error} in {folder}; reinstall palimpsest-research") from error


def _bytes(tensors: dict[str, Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
