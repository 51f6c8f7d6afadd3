"""Limits of the two rollout engines that other modules need too; importable without torch."""

BLOCK = 16
"""Torch sampler: cache positions are read in blocks of this many, so that sums over a row always have the
same order."""
MIN_ROWS = 4
"""Torch sampler: fewest rows of a matrix product; with fewer, a kernel that rounds differently is used."""
COMPACT_BELOW = 0.75
"""Torch sampler: finished rows are removed when less than this share of the rows still grow."""
MAX_SEQUENCES = 256
"""vLLM on a CPU: most responses that grow at the same time."""
GPU_SEQUENCES = 1024
"""The same on GPUs of 70 GiB and more: vLLM's own default (256 on smaller ones)."""
