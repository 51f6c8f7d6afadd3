"""The two networks of PPO, as thin modules over Hugging Face models.

`Policy` returns log-probabilities of given tokens without ever storing the logits of a whole batch.
`Critic` is the same backbone with a scalar head (paper, section 2.2: a critic of the policy's size).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
)
from transformers.modeling_layers import GradientCheckpointingLayer

from training.config import CRITIC_HEAD
from training.head import decoder_of, is_bare, own_logits
from training.packed.layers import fuse_layers, is_fused, run_fused
from training.packed.packing import PACKED, Layout, pack, pick
from training.packed.products import faster_linear
from training.rope import pin_rope
from training.sections.model import ScratchConfig
from training.vocabulary import usable_ids

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def build_scratch(config: ScratchConfig, n_vocab: int, pad: int, eos: int, seed: int) -> LlamaForCausalLM:
    """Make a randomly initialized Llama with tied embeddings; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=n_vocab,
                hidden_size=config.hidden,
                intermediate_size=config.intermediate,
                num_hidden_layers=config.n_layers,
                num_attention_heads=config.n_heads,
                num_key_value_heads=config.n_heads,
                max_position_embeddings=config.max_tokens,
                tie_word_embeddings=True,
                pad_token_id=pad,
                eos_token_id=eos,
                bos_token_id=None,
            )
        )


def token_logprobs(
    hidden: Tensor,
    head: Callable[[Tensor], Tensor],
    targets: Tensor,
    temperature: float,
    n_ids: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and entropy of each distribution, in float32.

    Shapes: hidden [tokens, width], targets [tokens] -> [tokens], [tokens]. The distribution is over the first
    `n_ids` ids (None: all), which are tokens; engines sample no others.
    """
    logits = head(hidden)[:, :n_ids].float() / temperature
    logprobs = torch.log_softmax(logits, dim=-1)
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1), entropy


Score = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(hidden states [tokens, width], targets [tokens]) -> log-probabilities and entropies [tokens]."""


class ChunkedScores(torch.autograd.Function):
    """Apply a score to chunks of tokens, and again in the backward pass, so that only one chunk's logits are
    in memory.

    The gradient of the parameters is summed over the chunks here, the last chunk first, as autograd would.
    """

    @staticmethod
    def forward(ctx: Any, score: Score, chunk: int, hidden: Tensor, targets: Tensor, *parameters: Tensor):
        ctx.set_materialize_grads(False)
        ctx.score, ctx.chunk, ctx.parameters = score, chunk, parameters
        ctx.save_for_backward(hidden, targets)
        pieces = [score(h, t) for h, t in zip(hidden.split(chunk), targets.split(chunk), strict=True)]
        return torch.cat([piece[0] for piece in pieces]), torch.cat([piece[1] for piece in pieces])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None):  # type: ignore[override]
        hidden, targets = ctx.saved_tensors
        starts = range(0, len(hidden), ctx.chunk)
        of_hidden = torch.empty_like(hidden)
        of_parameters: list[Tensor | None] = [None] * len(ctx.parameters)
        for start in reversed(starts):
            rows = slice(start, start + ctx.chunk)
            with torch.enable_grad():
                part = hidden[rows].detach().requires_grad_()
                outputs = ctx.score(part, targets[rows])
                wanted = [
                    (output, grad[rows])
                    for output, grad in zip(outputs, grads, strict=True)
                    if grad is not None
                ]
                found = torch.autograd.grad(
                    [output for output, _ in wanted],
                    [part, *ctx.parameters],
                    [grad for _, grad in wanted],
                    allow_unused=True,
                )
            of_hidden[rows] = found[0]
            for index, grad in enumerate(found[1:]):
                known = of_parameters[index]
                of_parameters[index] = grad if known is None or grad is None else known.add_(grad)
        return None, None, of_hidden, None, *of_parameters


def score_in_chunks(model: Any, temperature: float, chunk: int, n_ids: int | None = None) -> None:
    """Let the model's `head(hidden, targets)` return log-probabilities and entropies of the logits that the
    model makes of these hidden states, over the first `n_ids` ids; `head(hidden)` stays what it was.

    A head whose weights are sharded gathers them in each call. It is now called once in a forward pass and
    gathered once more in the backward pass, whatever the number of chunks.
    """
    head = model.get_output_embeddings()
    project, fast = head.forward, faster_linear(head)
    # Most models' logits are the head's output; calling it alone is what they do.
    logits = fast if is_bare(model) else partial(own_logits, model, project=fast)

    def score(hidden: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return token_logprobs(hidden, logits, targets, temperature, n_ids)

    def forward(hidden: Tensor, targets: Tensor | None = None) -> Any:
        if targets is None:
            return project(hidden)
        return ChunkedScores.apply(score, chunk, hidden, targets, *head.parameters())

    head.forward = forward


def states_before(
    decoder: Any, layout: Layout, input_ids: Tensor, attention_mask: Tensor, response_mask: Tensor
) -> Tensor:
    """Last hidden states before each response token, in row order: [response tokens, width].

    Shapes: all inputs [batch, seq], right-padded. Padded rows need no mask: no token sees what follows it.
    """
    if layout.is_packed:
        is_run_here = is_fused(decoder)
        tokens, before, arguments = pack(
            input_ids, attention_mask, response_mask, decoder.dtype, is_rounded=is_run_here
        )
        if is_run_here:
            return pick(run_fused(decoder, tokens, **arguments), before)
        return pick(decoder(input_ids=tokens, use_cache=False, **arguments).last_hidden_state[0], before)
    hidden = decoder(input_ids=input_ids, use_cache=False).last_hidden_state
    before = response_mask.flatten().nonzero().squeeze(-1) - 1
    return pick(hidden.flatten(0, 1), before)


class Policy(nn.Module):
    """Causal language model that scores response tokens."""

    def __init__(
        self,
        model: Any,
        temperature: float,
        chunk_tokens: int,
        layout: Layout = PACKED,
        n_ids: int | None = None,
    ) -> None:
        """`n_ids`: how many ids are tokens (`training.vocabulary.usable_ids`); None: all."""
        super().__init__()
        model.set_attn_implementation(layout.attention)
        fuse_layers(model)
        self.model, self.layout, self.temperature, self.n_ids = model, layout, temperature, n_ids
        score_in_chunks(model, temperature, chunk_tokens, n_ids)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, response_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score the tokens where `response_mask` is 1, in row order.

        Shapes: all inputs [batch, seq], right-padded; padding is dropped first. The mask marks the response
        tokens themselves, each predicted from the position before it. Returns log-probabilities and entropies
        [n_response_tokens], float32. Logits are in memory for `chunk_tokens` tokens at a time and are
        recomputed in the backward pass.
        """
        states = states_before(decoder_of(self.model), self.layout, input_ids, attention_mask, response_mask)
        return self.model.get_output_embeddings()(states, input_ids[response_mask.bool()])

    def plain_logprobs(self, input_ids: Tensor, response_mask: Tensor) -> Tensor:
        """Log-probabilities of one unpadded row's response tokens by the model's own forward pass.

        For comparison: eager attention, all logits at once, no gradient. [1, seq] -> [response tokens].
        """
        self.model.set_attn_implementation("eager")
        try:
            with torch.no_grad():
                logits = self.model(input_ids=input_ids, use_cache=False).logits[0, :-1, : self.n_ids]
        finally:
            self.model.set_attn_implementation(self.layout.attention)
        logprobs = torch.log_softmax(logits.float() / self.temperature, -1)
        scored = logprobs.gather(-1, input_ids[0, 1:, None])[:, 0]
        return scored[response_mask[0, 1:].bool()]


class ValueHead(nn.Linear):
    """A scalar head that computes in float32; in bf16, values just below 1 would be rounded to 0.004."""

    def __init__(self, width: int, dtype: torch.dtype) -> None:
        super().__init__(width, 1, dtype=dtype)

    def forward(self, hidden: Tensor) -> Tensor:
        """[tokens, width] -> [tokens], float32."""
        return nn.functional.linear(hidden.float(), self.weight.float(), self.bias.float()).squeeze(-1)


class Critic(nn.Module):
    """The policy's backbone with a scalar head."""

    def __init__(self, backbone: Any, head: nn.Module, layout: Layout = PACKED) -> None:
        super().__init__()
        backbone.set_attn_implementation(layout.attention)
        fuse_layers(backbone)
        self.backbone, self.layout = backbone, layout
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor, response_mask: Tensor) -> Tensor:
        """Values of the states before each response token, in row order: [n_response_tokens], float32."""
        return self.head(states_before(self.backbone, self.layout, input_ids, attention_mask, response_mask))


def load_policy(
    folder: Path,
    precision: str,
    temperature: float,
    chunk_tokens: int,
    layout: Layout = PACKED,
    context_tokens: int | None = None,
) -> Policy:
    """Read the language model in `folder` (Hugging Face format), whose tokenizer knows the tokens.

    `context_tokens` is the longest sequence that the rollout engine is opened for; ValueError when the
    model's rotary embeddings cannot be fixed for it.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[precision])
    if context_tokens is not None:
        pin_rope(model, context_tokens)
    n_ids = usable_ids(AutoTokenizer.from_pretrained(folder), model.config.get_text_config().vocab_size)
    return Policy(model, temperature, chunk_tokens, layout, n_ids)


def load_critic(
    folder: Path, precision: str, layout: Layout = PACKED, context_tokens: int | None = None
) -> Critic:
    """Read the backbone in `folder`; the value head is zero unless the folder contains a trained one.

    With a zero head the first advantages equal the returns, whatever the backbone computes. For
    `context_tokens` see `load_policy`.
    """
    backbone = AutoModel.from_pretrained(folder, dtype=DTYPES[precision])
    if context_tokens is not None:
        pin_rope(backbone, context_tokens)
    width = AutoConfig.from_pretrained(folder).get_text_config().hidden_size
    head = ValueHead(width, DTYPES[precision])
    if (folder / CRITIC_HEAD).exists():
        head.load_state_dict(load_file(folder / CRITIC_HEAD))
    else:
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    return Critic(backbone, head, layout)


def recompute_activations(model: Any) -> None:
    """Keep only the inputs of each layer and recompute the rest in the backward pass."""
    model.gradient_checkpointing_enable({"use_reentrant": False})
    for layer in model.modules():
        # Loaded models are in evaluation mode, in which layers silently ignore the switch: a layer that is
        # called must look as if it were trained. What it computes must not, or its own dropout begins.
        if isinstance(layer, GradientCheckpointingLayer):
            layer.training = True
            checkpoint: Any = layer._gradient_checkpointing_func
            layer._gradient_checkpointing_func = _in_evaluation(layer, checkpoint)  # type: ignore[assignment]


def _in_evaluation(layer: nn.Module, checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`checkpoint`, whose function runs with `layer` in evaluation mode, now and in the backward pass."""

    def run(call: Callable[..., Any], *inputs: Any) -> Any:
        def evaluate(*inputs: Any) -> Any:
            layer.training = False
            try:
                return call(*inputs)
            finally:
                layer.training = True

        return checkpoint(evaluate, *inputs)

    return run


def save_value_head(head_state: dict[str, Tensor], folder: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in head_state.items()}, folder / CRITIC_HEAD)
