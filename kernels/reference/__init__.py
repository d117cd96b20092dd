"""What each kernel computes, in the simplest torch: the definition that the Triton kernel is tested against.

It serves on machines without an NVIDIA GPU too, so it makes no buffer of the vocabulary's size for all rows at once. `ops` imports it
when it is called. May import: torch and the nouns of `kernels`.
"""
