"""Triton kernels, each beside its torch reference: attention, committing keys and values, unmasking, the masked loss.

`ops` is the one door: it checks shapes and types and picks the Triton kernel on an NVIDIA GPU, the reference elsewhere. `visibility`,
`commit` and `words` are the nouns that both sides read; `bench` times them. Tensors only: this floor knows no canvas and no model.
May import: torch, and triton inside `triton/` alone; nothing else of this house.
"""
