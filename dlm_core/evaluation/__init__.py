"""What a denoiser can do, measured: answers, verdicts and corrections on test sets, and what an edit costs.

`evaluate_embedded`, `by_drawer`, `denoising`, `ablate` and `bench` are commands; the others are the tests they run.
May import: everything of dlm_core but serving; kernels, torch.
"""
