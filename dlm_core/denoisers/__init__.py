"""Models at work on the canvas: each builds canvases in its own layout and guesses what their slots hold.

`open` opens one by name. `embedded` (layout, weights, calibration beside it) reads slots by pointing; `prompted` is what all hosted
families share, `hosted` those of the table, `diffusion_gemma` the uniform one; `fitting` says what goes on a canvas of so many tokens.
May import: kinds, canvas, models, cache, decoding; kernels, torch, safetensors.
"""
