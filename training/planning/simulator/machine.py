"""Model of a device: the rates it sustains, and the work of a model's passes on it.

A pass takes the sum of three terms: arithmetic, bytes moved (weights, activations, keys and values), and a
fixed time per layer and call. It is a sum, not the larger of the first two, because kernels alternate between
being bound by arithmetic and by memory. Rates are given (`Machine.of_gpu`) or fitted to small measured runs
(`fit_rates`).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from training.planning.shape import Shape
from training.rollout.limits import GPU_SEQUENCES

SOFTMAX_BYTES = 4 * 6
"""Bytes moved per logit, which is written, scaled, exponentiated and summed in fp32."""

TRAINING_TFLOPS = 320.0
"""Sustained in an update of a 1.5B model in bf16, on one H200 (bench/gpu)."""
TRAINING_OF_MATMUL = TRAINING_TFLOPS / 790
"""What training sustains of the rate of a bare matrix product (same place); decoding is taken to reach it."""
OPTIMIZER_STEP_S = 0.35
"""Fixed seconds of an optimizer step, whatever the size of the model (same place; its cause is not known)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds per unit of work: FLOP, byte, layer call, call (of the whole model), and logit."""

    flop_s: float
    byte_s: float
    layer_s: float
    call_s: float = 0.0
    logit_s: float = 0.0
    """For one vocabulary entry of one token: scaled, exponentiated, summed."""

    def seconds(self, work: np.ndarray) -> np.ndarray:
        """Seconds for rows of (FLOPs, bytes, layer calls, calls, logits): [..., 5] -> [...]."""
        return work @ np.array([self.flop_s, self.byte_s, self.layer_s, self.call_s, self.logit_s])


def fit_rates(work: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Non-negative seconds per unit of work: [n, units], [n] -> [units].

    Least squares on the relative error of the `seconds` that the rows of `work` took.
    """
    scale = np.where(work.max(0) > 0, work.max(0), 1.0)
    found, _ = nnls(work / scale / seconds[:, None], np.ones(len(seconds)))
    return found / scale


@dataclass(frozen=True, slots=True)
class Machine:
    """Rates of decoding and training on one device, and of the links between devices."""

    decode: Rates
    train: Rates
    update: Rates
    """For the optimizer: bytes of its states, and calls."""
    reward_s: float = 1.1e-4
    """Seconds to verify one response (bench/verify.py on real answers)."""
    copy_byte_s: float = 0.0
    """Seconds per byte of weights written into the engine."""
    link_bytes_s: float = float("inf")
    """Bytes per second that one device receives from others when weights are gathered or gradients summed."""
    exchange_s: float = 0.0
    """Latency in seconds of one sum over the devices that share an engine; there are two per layer."""
    width: int = 2
    """Bytes per weight."""
    host_link_bytes_s: float = float("inf")
    """Bytes per second, in each direction, between one device and the memory of its host."""
    host_memory_bytes_s: float = float("inf")
    """Bytes per second that the processors of a host move; shared by the devices of a node."""
    step_s: float = 0.0
    """Fixed seconds per step: records, rails, weight sync."""
    stop_token_s: float = 0.0
    """Seconds of Python per decoded token when responses end at stop strings: the engine's one thread turns
    every token into text and looks for them, while the GPU waits."""

    @classmethod
    def of_gpu(cls, tflops: float, memory_tb_s: float, link_gb_s: float) -> "Machine":
        """A GPU with these sustained rates, `tflops` of training.

        Scheduling and launches take 3 ms per decoding step (assumed).
        """
        flop_s, byte_s = 1e-12 / tflops, 1e-12 / memory_tb_s
        return cls(
            decode=Rates(TRAINING_OF_MATMUL * flop_s, byte_s, 0.0, 3e-3, SOFTMAX_BYTES * byte_s),
            # The sustained rate of training already includes its memory traffic.
            train=Rates(flop_s, 0.0, 0.0),
            update=Rates(0.0, byte_s, 0.0, OPTIMIZER_STEP_S),
            copy_byte_s=byte_s,
            link_bytes_s=link_gb_s * 1e9,
            exchange_s=2e-5,
            # PCIe 4 x16, and about half of what the 12 to 16 memory channels of a server reach.
            host_link_bytes_s=25e9,
            host_memory_bytes_s=200e9,
            stop_token_s=22e-6,  # Measured on a CPU with vLLM 0.32; a GPU's host does the same work.
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """GPUs, one rank on each."""

    n_gpus: int
    machine: Machine
    gpu_gib: float = 80.0
    gpus_per_node: int = 8
    max_sequences: int = GPU_SEQUENCES
    """Most responses that grow in one engine at the same time."""


def activation_bytes(shape: Shape, width: int) -> float:
    """Bytes moved per token by all layers in one forward pass: each intermediate result written and read."""
    inner = shape.n_heads * shape.head_dim + 2 * shape.n_kv_heads * shape.head_dim
    return 2.0 * width * shape.n_layers * (6 * shape.hidden + 2 * inner + 3 * shape.intermediate)


def decode_work(shape: Shape, width: int, n_devices: int = 1) -> np.ndarray:
    """Work of one decoding step as (constant, per row, per token of context): [3, 5], per device."""
    inner = shape.n_heads * shape.head_dim
    kv_bytes = 2 * width * shape.n_layers * shape.n_kv_heads * shape.head_dim
    weights = shape.n_multiplied()
    return (
        np.array(
            [
                [0.0, weights * width, shape.n_layers * n_devices, n_devices, 0.0],
                [2.0 * weights, activation_bytes(shape, width), 0.0, 0.0, shape.n_vocab],
                [4.0 * shape.n_layers * inner, kv_bytes, 0.0, 0.0, 0.0],
            ]
        )
        / n_devices
    )


def prefill_work(shape: Shape, width: int, prompts: np.ndarray) -> np.ndarray:
    """Work of reading distinct prompts, one call per row: lengths [rows, prompts] -> [rows, 5]."""
    return np.stack([forward_work(shape, width, row, 1, float(len(row))) for row in prompts])


def forward_work(
    shape: Shape,
    width: int,
    lengths: np.ndarray,
    n_micro: float,
    n_scored: float | None,
    n_tokens: float | None = None,
) -> np.ndarray:
    """Work of one forward pass over sequences of `lengths` in `n_micro` calls: [5].

    `n_scored` tokens get log-probabilities over the vocabulary; None for a critic, which has no such head.
    `n_tokens` are computed when sequences are packed and share prompts; None: all tokens, one row each.
    """
    layout = 0.0 if n_tokens is None else layout_bytes(shape, width, lengths)
    n_tokens = float(lengths.sum()) if n_tokens is None else n_tokens
    flops = shape.forward_flops(n_tokens, float((lengths.astype(float) ** 2).sum()), n_scored)
    moved = shape.n_multiplied() * width * n_micro + activation_bytes(shape, width) * n_tokens
    logits = shape.n_vocab * (n_scored or 0.0)
    return np.array([flops, moved + layout, shape.n_layers * n_micro, n_micro, logits])


def layout_bytes(shape: Shape, width: int, lengths: np.ndarray) -> float:
    """Bytes moved to lay out queries, keys and values of packed tokens sequence by sequence, each with a copy
    of its prompt's (training.packed.packing.attend), and to pack the result; all are read and written."""
    per_token = 2 * shape.n_heads * shape.head_dim + 2 * shape.n_kv_heads * shape.head_dim
    return 2.0 * width * shape.n_layers * per_token * float(lengths.sum())
