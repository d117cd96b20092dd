"""From texts to weights: examples are drawn, shown to a model with masks and mistakes, and learnt from.

`corpus` and `examples` hold what is learnt, `masking`, `corruption` and `edit_labels` how it is shown, `losses` and `hosted_targets`
what is asked of each place; `train_embedded`, `calibrate_embedded` and `finetune_hosted` are commands, `held_out` keeps tests apart.
May import: kinds, metrics, canvas, models, cache, decoding, denoisers; kernels, torch, safetensors, tokenizers.
"""
