"""Limits of the two rollout engines that others reckon with; importable without torch."""

BLOCK = 16
"""Torch sampler: cache positions are read in blocks of this many, so that sums over a row always run in the
same order."""
MIN_ROWS = 4
"""Torch sampler: fewest rows of a matrix product; fewer would take a kernel that rounds differently."""
COMPACT_BELOW = 0.75
"""Torch sampler: rows are moved together when fewer than this share of them still grow."""
MAX_SEQUENCES = 256
"""vLLM on a CPU: responses that grow at once."""
GPU_SEQUENCES = 1024
"""vLLM's own default on GPUs of 70 GiB and more (256 on smaller ones)."""
