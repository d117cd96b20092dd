"""The Triton kernels, one file each with its launcher; `plan` cuts attention into pieces of equal work.

Nothing here is imported before a kernel is called: triton need not be installed. On CPU tensors they run in Triton's interpreter.
May import: torch, triton and the nouns of `kernels`.
"""
