"""The diffusion engine: tensors and tokens, nothing of questions, evidence or reports.

Rooms, each importing only those before it: `canvas`, `models`, `cache`, `decoding`, `denoisers`, then `serving`, and `training` before
`evaluation`. `kinds` (what a slot is) and `metrics` (exact match, calibration error and their like) import nothing and serve all.
A caller opens a denoiser by name (`denoisers.open`), builds canvases with it and denoises them (`decoding.sampler`).
May import: kernels; torch, transformers, tokenizers, safetensors and numpy.
"""
