"""From texts to weights: examples are drawn, shown to a model with masks and mistakes, and learnt from.

`corpus` and `examples` hold what is learnt, `masking`, `corruption` and `edit_labels` how it is shown, `losses` and `hosted_targets`
what is asked of each place; `held_out` keeps tests apart. Commands: `gather`, `run_plan`, `average`, `train_embedded`,
`calibrate_embedded`, `build_examples`, `finetune_hosted`, `adapt`.
May import: kinds, metrics, canvas, models, cache, decoding, denoisers; kernels, torch, safetensors, tokenizers.
"""
