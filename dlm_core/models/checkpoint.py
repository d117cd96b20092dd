"""Open any checkpoint of a known family: config.json, safetensors shards, tokenizer, chat frame. No remote code is ever run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..canvas.tokenizer import ChatTokenizer, Template
from .errors import ModelError
from .families import Family, Piece, find, find_causal, read
from .transformer import Block, Transformer, TransformerConfig

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_NOT_WEIGHTS = ("rotary_emb.inv_freq", "position_ids")
_FILES = ("*.json", "*.safetensors", "*.jinja", "merges.txt")
Device = str | torch.device


def load(
    name: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: Device | Sequence[Device] | Mapping[str, Device | int] | None = None,
) -> tuple[Transformer, ChatTokenizer]:
    """The model and tokenizer of a folder or Hugging Face id.

    `dtype`: by default the checkpoint's own on a GPU and fp32 on a CPU. `device`: one, or several over which the blocks are spread in
    order, evenly by bytes, or "auto" for all GPUs, or a map of "embedding", "blocks.N", "norm" and "head" ("" for the rest) to devices;
    by default the first GPU, else the CPU. ModelError names what is missing, damaged or unknown.
    """
    folder = folder_of(name)
    stored = _facts(folder)
    return _loaded(folder, stored, find(stored), dtype, device)


def load_causal(folder: Path) -> tuple[Transformer, ChatTokenizer]:
    """An autoregressive checkpoint in fp32 on the CPU, as a model of blocks of one row; errors as of `load`."""
    stored = _facts(folder)
    return _loaded(folder, stored, find_causal(stored), torch.float32, "cpu")


def _loaded(
    folder: Path,
    stored: Mapping[str, Any],
    family: Family,
    dtype: torch.dtype | None,
    device: Device | Sequence[Device] | Mapping[str, Device | int] | None,
) -> tuple[Transformer, ChatTokenizer]:
    config = read(stored, family)
    with torch.device("meta"):
        model = Transformer(config)
    places = _mapped(model, device) if isinstance(device, Mapping) else _places(model, _devices(device))
    chosen = dtype or (_own_dtype(stored) if places["embedding.weight"].type == "cuda" else torch.float32)
    _fill(model, places, folder, family, config, chosen)
    return model.eval().requires_grad_(False), open_tokenizer(folder, family.template, family.chat)


def folder_of(name: str | Path, *, fetch: bool = True) -> Path:
    """The folder itself, or where the Hugging Face id is kept on this machine; what is there whole asks nobody.

    Else it is fetched, data files alone; without `fetch` nothing is, and ModelError says so.
    """
    if Path(name).is_dir():
        return Path(name)
    if str(name).count("/") != 1 or str(name).startswith(("/", ".")):
        raise ModelError(f"{name} is no folder and no Hugging Face id (owner/name); give --model one of these")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        if kept := _kept(str(name)):
            return kept
        if not fetch:
            raise ModelError(
                f"{name} is not whole on this machine, and offline nothing is fetched; give --model a folder"
            )
        return Path(snapshot_download(str(name), allow_patterns=list(_FILES)))
    except RepositoryNotFoundError as error:
        raise ModelError(f"{name} is not on Hugging Face; check its name") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(f"{name} could not be fetched; download it elsewhere and give --model its folder") from error


def _kept(name: str) -> Path | None:
    """Where a checkpoint of the hub is kept whole; None when it is not. Nobody is asked."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with suppress(LocalEntryNotFoundError):
        folder = Path(snapshot_download(name, allow_patterns=list(_FILES), local_files_only=True))
        return folder if _is_whole(folder) else None
    return None


def _is_whole(folder: Path) -> bool:
    """Whether a kept checkpoint has its description, its words and every file of weights that its index names."""
    index = folder / "model.safetensors.index.json"
    shards = set(read_json(index).get("weight_map", {}).values()) if index.exists() else {"model.safetensors"}
    has_words = any((folder / name).exists() for name in ("tokenizer.json", "vocab.json"))
    described = has_words and (folder / "config.json").exists()
    return described and bool(shards) and all((folder / name).exists() for name in shards)


def read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; fetch the whole checkpoint") from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}); fetch it again") from error


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _facts(folder: Path) -> dict[str, Any]:
    """What config.json says, and where it is silent, what other files of the checkpoint say."""
    config = read_json(folder / "config.json")
    return {**_elsewhere(folder), **{k: v for k, v in config.items() if v is not None}}


def _elsewhere(folder: Path) -> dict[str, int]:
    """What other files of a checkpoint give where its config.json is silent: the ids of the mask token and the expand token."""
    stored = _optional(folder / "generation_config.json")
    facts = {k: stored[k] for k in ("mask_token_id", "expand_token_id") if isinstance(stored.get(k), int)}
    special = {**_optional(folder / "special_tokens_map.json"), **_optional(folder / "tokenizer_config.json")}
    ids = {added["content"]: number for number, added in _added(folder).items()}
    mask = special.get("mask_token")
    mask = mask.get("content") if isinstance(mask, dict) else mask
    named = {"mask_token_id": ids.get(mask), "expand_token_id": ids.get("<|expand|>")}
    return {**{k: v for k, v in named.items() if v is not None}, **facts}


def _added(folder: Path) -> dict[int, dict[str, Any]]:
    """The tokens added to a tokenizer's vocabulary, by id."""
    listed = [{"id": i, "content": c} for c, i in _optional(folder / "added_tokens.json").items()]
    listed += [
        {"id": i, **t}
        for i, t in (_optional(folder / "tokenizer_config.json").get("added_tokens_decoder") or {}).items()
    ]
    listed += _optional(folder / "tokenizer.json").get("added_tokens") or []
    return {int(token["id"]): token for token in listed}


def _own_dtype(stored: Mapping[str, Any]) -> torch.dtype:
    name = str(stored.get("dtype") or stored.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    if name not in DTYPES:
        raise ModelError(f"config.json stores weights as {name}; supported are {', '.join(DTYPES)}")
    return DTYPES[name]


def _devices(device: Device | Sequence[Device] | None) -> list[torch.device]:
    if device is None or device == "auto":
        count = torch.cuda.device_count() if device else min(torch.cuda.device_count(), 1)
        return [torch.device("cuda", i) for i in range(count)] or [torch.device("cpu")]
    return [torch.device(d) for d in ([device] if isinstance(device, str | torch.device) else device)]


def _places(model: Transformer, devices: Sequence[torch.device]) -> dict[str, torch.device]:
    """The device of every parameter: the embedding on the first, norm and head on the last, the blocks in order, evenly by bytes."""
    sizes = [sum(p.numel() for p in block.parameters()) for block in model.blocks]
    share, before, where = sum(sizes) / len(devices), 0, {}
    for block, size in zip(model.blocks, sizes, strict=True):
        assert isinstance(block, Block)
        device = devices[min(int((before + size / 2) / share), len(devices) - 1)]
        where.update({f"blocks.{block.number}.{n}": device for n, _ in block.named_parameters()})
        before += size
    last = devices[0] if model.config.tied else devices[-1]
    return {**where, "embedding.weight": devices[0], "norm.weight": devices[-1], "head.weight": last}


def _mapped(model: Transformer, device_map: Mapping[str, Device | int]) -> dict[str, torch.device]:
    """The device of every parameter by the longest name in the map that it begins with."""
    parts = ["embedding", *(f"blocks.{n}" for n in range(len(model.blocks))), "norm", "head"]
    unknown = [name for name in device_map if name and name not in parts]
    if unknown:
        raise ModelError(
            f"a device is given for {unknown[0]}; the parts are embedding, blocks.0 to {parts[-3]}, norm and head"
        )
    missing = [part for part in parts if part not in device_map and "" not in device_map]
    if missing:
        raise ModelError(f'no device is given for {missing[0]}; name it, or "" for all the rest')
    on = {part: torch.device(device_map.get(part, device_map.get("", "cpu"))) for part in parts}
    if model.config.tied and on["head"] != on["embedding"]:
        raise ModelError("the head is tied to the embedding; give both one device")
    wanted = dict(model.named_parameters(remove_duplicate=False))
    return {name: next(d for part, d in on.items() if name.startswith(part + ".")) for name in wanted}


def look(folder: Path) -> tuple[int, int]:
    """Number and bytes of the shards of a checkpoint. ModelError when one is missing or damaged, or lacks what the index lists."""
    shards = _shards(folder)
    for shard, names in shards.items():
        with _opened(shard) as opened:
            absent = sorted(set(names) - set(opened.keys()))
        if absent:
            raise ModelError(f"{shard.name} lacks {absent[0]}, which the index says it holds; fetch it again")
    return len(shards), sum(shard.stat().st_size for shard in shards)


def _fill(
    model: Transformer,
    places: Mapping[str, torch.device],
    folder: Path,
    family: Family,
    config: TransformerConfig,
    dtype: torch.dtype,
) -> None:
    """Copy every stored tensor to its place, shard by shard; a parameter is allocated when its first piece comes."""
    wanted = dict(model.named_parameters(remove_duplicate=False))
    filled: dict[str, Tensor] = {}
    missing = {name: _pieces_of(name, p) for name, p in wanted.items()}
    for stored, tensor in tensors(folder):
        pieces = family.place(stored, config)
        if not pieces and not stored.endswith(_NOT_WEIGHTS):
            raise ModelError(
                f"{stored} in {folder.name} has no place in a {family.name} model; is config.json its own?"
            )
        for piece in pieces:
            _put(piece, stored, tensor, wanted, places, dtype, filled, missing)
    if config.tied:
        _check_tied(filled, missing, folder)
    left = [name for name, count in missing.items() if count]
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise ModelError(f"{folder.name} lacks the weights of {left[0]}{more}; fetch the whole checkpoint")
    for name, value in filled.items():
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, nn.Parameter(value, requires_grad=False))
    if config.tied:
        model.head.weight = model.embedding.weight


def _pieces_of(name: str, parameter: nn.Parameter) -> int:
    """How many stored tensors make a parameter: one for each expert of a stack."""
    return parameter.shape[0] if parameter.ndim == 3 else 1


def _put(
    piece: Piece,
    stored: str,
    tensor: Tensor,
    wanted: Mapping[str, nn.Parameter],
    places: Mapping[str, torch.device],
    dtype: torch.dtype,
    filled: dict[str, Tensor],
    missing: dict[str, int],
) -> None:
    if piece.name not in wanted:
        raise ModelError(
            f"{stored} has no place in the model that config.json describes; fetch the checkpoint's own config.json"
        )
    shape = wanted[piece.name].shape
    if piece.name not in filled:
        exact = torch.float32 if piece.name.endswith("feed.bias") else dtype  # a router compares in fp32
        filled[piece.name] = torch.empty(shape, dtype=exact, device=places[piece.name])
    target = filled[piece.name] if piece.index is None else filled[piece.name][piece.index]
    source = tensor if piece.rows is None else tensor[piece.rows[0] : piece.rows[1]]
    if source.shape != target.shape:
        shapes = f"{tuple(source.shape)} where config.json makes it {tuple(target.shape)}"
        raise ModelError(f"{stored} is {shapes}; fetch config.json and shards of one revision")
    target.copy_(source)
    missing[piece.name] -= 1


def _check_tied(filled: dict[str, Tensor], missing: dict[str, int], folder: Path) -> None:
    """A tied head may be stored once or twice; twice, the two must be equal."""
    head = filled.pop("head.weight", None)
    missing["head.weight"] = 0
    if head is not None and not torch.equal(head, filled.get("embedding.weight", head)):
        raise ModelError(
            f"{folder.name} says its head is tied, and stores another one; set tie_word_embeddings to false"
        )


def tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Every stored tensor by name, from model.safetensors or the shards that the index lists."""
    look(folder)
    for shard, names in _shards(folder).items():
        with _opened(shard) as opened:
            for name in names or sorted(opened.keys()):
                yield name, opened.get_tensor(name)


def write_weights(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors under their stored names as the one shard of a checkpoint."""
    path = folder / "model.safetensors"
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    save_file(plain, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes files that only their owner may read


@contextmanager
def _opened(shard: Path) -> Iterator[Any]:
    try:
        with safe_open(shard, framework="pt", device="cpu") as opened:
            yield opened
    except FileNotFoundError as error:
        raise ModelError(f"{shard.name} is missing in {shard.parent}; fetch the whole checkpoint") from error
    except SafetensorError as error:
        raise ModelError(f"{shard.name} in {shard.parent} is damaged ({error}); fetch it again") from error


def _shards(folder: Path) -> dict[Path, list[str]]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        if not (folder / "model.safetensors").exists():
            raise ModelError(
                f"{folder} holds no model.safetensors and no index of shards; pickled weights are not read"
            )
        return {folder / "model.safetensors": []}
    shards: dict[Path, list[str]] = defaultdict(list)
    for name, shard in sorted(read_json(index)["weight_map"].items()):
        shards[folder / shard].append(name)
    return shards


_SENTINEL = "palimpsest-user-words"


def family_of(folder: Path) -> str:
    """The name of a checkpoint's family by its config.json, whose facts are all read. ModelError when it is of none."""
    stored = _facts(folder)
    family = find(stored)
    read(stored, family)
    return family.name


def open_tokenizer(folder: Path, otherwise: Template, chat: Mapping[str, bool] | None = None) -> ChatTokenizer:
    """The tokenizer of a checkpoint, framed by its own chat template where it has one; `chat` is handed to that template.

    A checkpoint with vocab.json and merges.txt alone (Dream, SDAR) is read as Qwen2's byte-level BPE, which those files are.
    """
    from tokenizers import Tokenizer

    serialised = _serialised(folder)
    try:
        backend = Tokenizer.from_str(serialised)
    except Exception as error:  # the library raises no narrower one
        raise ModelError(f"the tokenizer of {folder} is damaged ({error}); fetch it again") from error
    return ChatTokenizer(serialised, _own_template(folder, backend, chat or {}) or otherwise)


def _serialised(folder: Path) -> str:
    """A tokenizer.json whose added tokens, mere spaces aside, are all special: only special ones are never read out of user text."""
    if (folder / "tokenizer.json").exists():
        tokenizer = read_json(folder / "tokenizer.json")
    elif (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        tokenizer = json.loads(_byte_level(folder))
    else:
        raise ModelError(f"{folder} holds no tokenizer.json; fetch the whole checkpoint")
    for token in tokenizer.get("added_tokens") or []:
        token["special"] = bool(token.get("special") or token["content"].strip())
    return json.dumps(tokenizer)


def _byte_level(folder: Path) -> str:
    from transformers import AddedToken, Qwen2Tokenizer

    made = Qwen2Tokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    backend = made.backend_tokenizer
    for number, token in sorted(_added(folder).items()):
        backend.add_special_tokens([AddedToken(token["content"], special=True)])
        if backend.token_to_id(token["content"]) != number:
            raise ModelError(
                f"{folder} gives {token['content']} the id {number}, which vocab.json does not leave free; fetch it again"
            )
    return str(backend.to_str())


def _own_template(folder: Path, backend: Any, chat: Mapping[str, bool]) -> Template | None:
    """The frame that the checkpoint's own chat template puts around a user's words; rendered in transformers' sandbox."""
    source = folder / "chat_template.jinja"
    config = _optional(folder / "tokenizer_config.json")
    template = source.read_text(encoding="utf-8") if source.exists() else config.get("chat_template")
    if not isinstance(template, str):
        return None
    render = _renderer(folder.name, backend, config, {"chat_template": template, **chat})
    user = [{"role": "user", "content": _SENTINEL}]
    before, found, after = render(user, add_generation_prompt=True).partition(_SENTINEL)
    if not found:
        raise ModelError(f"the chat template of {folder.name} leaves out what the user says; remove it from the folder")
    answered = render([*user, {"role": "assistant", "content": _SENTINEL}], add_generation_prompt=False)
    return Template(before, after, answered.rpartition(_SENTINEL)[2])


def _renderer(name: str, backend: Any, config: Mapping[str, Any], settings: Mapping[str, Any]) -> Callable[..., str]:
    from jinja2 import TemplateError
    from transformers import PreTrainedTokenizerFast

    named = {k: config.get(k) for k in ("bos_token", "eos_token", "pad_token")}
    specials = {k: v["content"] if isinstance(v, dict) else v for k, v in named.items() if v}
    renderer = PreTrainedTokenizerFast(tokenizer_object=backend, **specials)

    def render(turns: list[dict[str, str]], **more: Any) -> str:
        try:
            return str(renderer.apply_chat_template(turns, tokenize=False, **settings, **more))
        except TemplateError as error:
            raise ModelError(
                f"the chat template of {name} cannot be rendered ({error}); remove it from the folder"
            ) from error

    return render
