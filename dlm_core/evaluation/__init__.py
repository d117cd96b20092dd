"""What a denoiser can do, measured: answers, verdicts and corrections on test sets, and what an edit costs.

`evaluate_embedded`, `ablate` and `bench` are commands; the others are the tests they run. No figure of the README is made elsewhere.
May import: everything of dlm_core but serving; kernels, torch.
"""
