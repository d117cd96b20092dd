"""Many canvases, one model: an engine on a thread of its own that shares its steps among all who wait.

A bounded line, fair by client; a job whose reader is gone stops; calls that are no denoising (ranks, verdicts) stand in the same line.
May import: kinds, canvas, cache, decoding; torch.
"""
