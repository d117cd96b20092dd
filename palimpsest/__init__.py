"""Deep research on a diffusion language model: one evolving draft, revised in place."""
