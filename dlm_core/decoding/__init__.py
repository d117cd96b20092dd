"""How a canvas is denoised: one loop, and rules that say what to commit, what to open again and how long a slot is.

`sampler` is the loop, `rules` and `slot_length` make rules, `profiles` are plans by name, `slot_scores` turns a model's words into
the distribution of a slot, `constraints` are the answers that a slot may choose from, `frame_words` shows a step
in words; `speculative` is a loop over several canvases.
May import: kinds, canvas, cache; torch.
"""
