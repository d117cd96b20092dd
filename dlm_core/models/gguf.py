"""Turn a GGUF file of an autoregressive model into a checkpoint that is read here: config.json, safetensors, tokenizer.

`python -m palimpsest.dlm_core.models.gguf FILE.gguf --out FOLDER`. Quantised blocks become fp32; what quantisation lost stays lost.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .checkpoint import write_weights
from .errors import ModelError


def convert(file: Path, out: Path) -> None:
    """Write the weights of `file` to `out` as transformers reads them. ModelError where gguf is not installed or the file is none."""
    try:
        import gguf  # noqa: F401  (transformers reads the file through it, and says less when it is missing)
    except ImportError as error:
        raise ModelError("reading GGUF needs the package gguf; install it with pip install gguf") from error
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"gguf_file": file.name, "local_files_only": True}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32, **where
        )
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"{file} cannot be read as GGUF ({error}); fetch it again") from error
    out.mkdir(parents=True, exist_ok=True)
    tied = "lm_head.weight" if model.config.tie_word_embeddings else None
    write_weights(out, {name: tensor for name, tensor in model.state_dict().items() if name != tied})
    stored = {k: v for k, v in model.config.to_dict().items() if k != "quantization_config"}
    stored["architectures"] = [type(model).__name__]
    tokenizer.save_pretrained(out)
    (out / "config.json").write_text(json.dumps(stored, indent=1) + "\n")  # last: a folder with it is whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.models.gguf", description=__doc__)
    parser.add_argument("file", type=Path, help="a .gguf file of a Llama, Qwen or SmolLM model")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    given = parser.parse_args()
    if not given.file.is_file():
        raise SystemExit(f"{given.file} is no file; give a .gguf file")
    try:
        convert(given.file, given.out)
    except (ModelError, OSError) as error:
        raise SystemExit(str(error)) from error
    print(f"wrote {given.out}")


if __name__ == "__main__":
    main()
