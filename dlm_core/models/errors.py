"""What can be wrong with a checkpoint."""

from __future__ import annotations


class ModelError(Exception):
    """A checkpoint that cannot be used: one sentence that names the file or key, and the mend."""
