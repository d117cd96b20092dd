"""Bodies and their weights: what a token becomes, given the tokens around it.

`transformer` is the one body that the open families are configurations of (`families` reads theirs, `checkpoint` loads shards and
tokenizer), `embedded` the 23 M model, `diffusion_gemma` a door to transformers' class; `rope`, `quality` and `lora` are their parts.
May import: kinds, canvas; torch, transformers, tokenizers, safetensors, and peft in `lora` alone.
"""
