"""Checks with torch alone: packed attention against SDPA, bf16 against fp32, one update on 8,000 tokens."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from bench.gpu.setting import SHAPES, TINY, make_model, read_job, synchronize, timed
from training.batching import Responses
from training.model import load_policy, recompute_activations
from training.packed.packing import attend, pack

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LENGTHS = (700, 33, 1, 512, 257)


def main() -> None:
    job = read_job()
    job.note(torch=torch.__version__, device=torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu")
    for n_heads, n_shared in ((4, 4), (14, 2)):
        dtype = torch.float32 if job.small else torch.bfloat16
        name = f"attention, {n_heads} heads on {n_shared}"
        job.note(**{name: attention_gap(n_heads, n_shared, dtype)})
    shape = (TINY if job.small else SHAPES)["0.5b"]
    model = make_model(shape, 9000, job.folder / "model")
    job.note(**{"log-probs, bf16 against fp32, nats": precision_gap(model)})
    update(job, model, 500 if job.small else 8000)


def attention_gap(n_heads: int, n_shared: int, dtype: torch.dtype) -> dict[str, float]:
    """Largest relative difference of output and gradients, packed against one sequence at a time."""
    torch.manual_seed(0)
    n, size = sum(LENGTHS), 64
    ids = torch.ones(len(LENGTHS), max(LENGTHS), dtype=torch.long, device=DEVICE)
    mask = (torch.arange(max(LENGTHS), device=DEVICE) < torch.tensor(LENGTHS, device=DEVICE)[:, None]).long()
    response = mask.clone()
    response[:, 0] = 0
    ids = ids * torch.randint(1, 90, ids.shape, device=DEVICE)  # No two rows share a prompt.
    _, _, arguments = pack(ids, mask, response, dtype)
    made = [
        torch.randn(1, heads, n, size, device=DEVICE, dtype=dtype, requires_grad=True)
        for heads in (n_heads, n_shared, n_shared)
    ]
    weight = torch.randn(1, n, n_heads, size, device=DEVICE, dtype=dtype)
    options = {key: value for key, value in arguments.items() if key == "packing"}
    packed, _ = attend(torch.nn.Module(), *made, None, **options)
    found = torch.autograd.grad((packed * weight).sum(), made)
    parts, start = [], 0
    for length in LENGTHS:
        rows = slice(start, start + length)
        q, k, v = (x[:, :, rows].float() for x in made)
        one = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=n_heads != n_shared)
        parts.append(one.transpose(1, 2))
        start += length
    expected = torch.cat(parts, dim=1)
    wanted = torch.autograd.grad((expected * weight.float()).sum(), made)
    pairs = zip(("output", "query", "key", "value"), (packed, *found), (expected, *wanted), strict=True)
    gaps = {name: float((a.float() - b.float()).norm() / b.float().norm()) for name, a, b in pairs}
    if max(gaps.values()) > (1e-4 if dtype is torch.float32 else 3e-2):
        raise RuntimeError(f"packed attention differs from SDPA: {gaps}")
    return gaps


def precision_gap(model) -> float:
    """Mean |log-prob difference| between the bf16 and the fp32 network on random tokens."""
    torch.manual_seed(0)
    tokens = torch.randint(5, 40, (4, 64)).tolist()
    responses = Responses.build([row[:16] for row in tokens], [row[16:] for row in tokens], DEVICE)
    scores = []
    for precision in ("bf16", "fp32"):
        policy = load_policy(model, precision, 1.0, 1024).to(DEVICE)
        with torch.no_grad():
            scores.append(policy(*responses.inputs(list(range(4)), 0))[0])
    return float((scores[0] - scores[1]).abs().mean())


def update(job, model, n_tokens: int) -> None:
    """Forward and backward pass over one response: seconds, tokens per second, peak memory."""
    policy = load_policy(model, "fp32" if job.small else "bf16", 1.0, 1024).to(DEVICE)
    recompute_activations(policy.model)
    prompt, tokens = [5] * 16, torch.randint(5, 40, (n_tokens,)).tolist()
    responses = Responses.build([prompt], [tokens], DEVICE)
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def once() -> None:
        logprobs, _ = policy(*responses.inputs([0], 0))
        logprobs.sum().backward()
        policy.zero_grad()

    once()
    synchronize()
    _, seconds = timed(once)
    peak = torch.cuda.max_memory_allocated() if DEVICE.type == "cuda" else 0
    job.note(update_s=seconds, update_tokens_per_s=n_tokens / seconds, update_peak_gib=peak / 2**30)


if __name__ == "__main__":
    main()
