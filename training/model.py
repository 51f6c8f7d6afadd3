"""The two networks of PPO, as thin modules over Hugging Face models.

`Policy` returns log-probabilities of given tokens without ever storing the logits of a whole batch.
`Critic` is the same backbone with a scalar head (paper, section 2.2: a critic of the policy's size).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.modeling_layers import GradientCheckpointingLayer

from training.config import ScratchConfig
from training.packing import ATTENTION, pack, pick

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
CRITIC_HEAD = "value_head.safetensors"


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
    hidden: Tensor, head: nn.Module, targets: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and entropy of each distribution, in float32.

    Shapes: hidden [tokens, width], targets [tokens] -> [tokens], [tokens].
    """
    logits = head(hidden).float() / temperature
    logprobs = torch.log_softmax(logits, dim=-1)
    entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1), entropy


class Policy(nn.Module):
    """Causal language model that scores response tokens.

    `largest` returns the maximum of an integer over all ranks, so that every rank calls the head equally
    often.
    """

    def __init__(
        self, model: Any, temperature: float, chunk_tokens: int, largest: Callable[[int], int] = int
    ) -> None:
        super().__init__()
        model.set_attn_implementation(ATTENTION)
        self.model = model
        self.temperature = temperature
        self.chunk_tokens = chunk_tokens
        self.largest = largest

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, response_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Score the tokens where `response_mask` is 1, in row order.

        Shapes: all inputs [batch, seq], right-padded; padding is dropped first. The mask marks the response
        tokens themselves, each predicted from the position before it. Returns log-probabilities and entropies
        [n_response_tokens], float32. Logits are in memory for `chunk_tokens` tokens at a time and are
        recomputed in the backward pass.
        """
        tokens, before, arguments = pack(input_ids, attention_mask, response_mask, self.model.dtype)
        hidden = self.model.get_decoder()(input_ids=tokens, **arguments).last_hidden_state[0]
        hidden, targets = pick(hidden, before), input_ids[response_mask.bool()]
        head = self.model.get_output_embeddings()
        chunks = [*zip(hidden.split(self.chunk_tokens), targets.split(self.chunk_tokens), strict=True)]
        # A sharded head gathers its weights in every call, and ranks have different numbers of chunks.
        chunks += [(hidden[:0], targets[:0])] * (self.largest(len(chunks)) - len(chunks))
        pieces = [
            checkpoint(token_logprobs, h, head, t, self.temperature, use_reentrant=False) for h, t in chunks
        ]
        return torch.cat([piece[0] for piece in pieces]), torch.cat([piece[1] for piece in pieces])


class ValueHead(nn.Linear):
    """A scalar head that computes in float32; in bf16, values just below 1 would be rounded to 0.004."""

    def __init__(self, width: int, dtype: torch.dtype) -> None:
        super().__init__(width, 1, dtype=dtype)

    def forward(self, hidden: Tensor) -> Tensor:
        """[tokens, width] -> [tokens], float32."""
        return nn.functional.linear(hidden.float(), self.weight.float(), self.bias.float()).squeeze(-1)


class Critic(nn.Module):
    """The policy's backbone with a scalar head."""

    def __init__(self, backbone: Any, head: nn.Module) -> None:
        super().__init__()
        backbone.set_attn_implementation(ATTENTION)
        self.backbone = backbone
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor, response_mask: Tensor) -> Tensor:
        """Values of the states before each response token, in row order: [n_response_tokens], float32."""
        tokens, before, arguments = pack(input_ids, attention_mask, response_mask, self.backbone.dtype)
        hidden = self.backbone(input_ids=tokens, **arguments).last_hidden_state[0]
        return self.head(pick(hidden, before))


def load_policy(
    folder: Path,
    precision: str,
    temperature: float,
    chunk_tokens: int,
    largest: Callable[[int], int] = int,
) -> Policy:
    """Read the language model in `folder` (Hugging Face format); `largest` as in `Policy`."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[precision])
    return Policy(model, temperature, chunk_tokens, largest)


def load_critic(folder: Path, precision: str) -> Critic:
    """Read the backbone in `folder`; the value head is zero unless the folder contains a trained one.

    With a zero head the first advantages equal the returns, whatever the backbone computes.
    """
    backbone = AutoModel.from_pretrained(folder, dtype=DTYPES[precision])
    head = ValueHead(AutoConfig.from_pretrained(folder).hidden_size, DTYPES[precision])
    if (folder / CRITIC_HEAD).exists():
        head.load_state_dict(load_file(folder / CRITIC_HEAD))
    else:
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    return Critic(backbone, head)


def recompute_activations(model: Any) -> None:
    """Keep only the inputs of each layer and recompute the rest in the backward pass."""
    model.gradient_checkpointing_enable({"use_reentrant": False})
    for layer in model.modules():
        # Loaded models are in evaluation mode, in which layers silently ignore the switch. Only the layers
        # themselves are set to training mode; their submodules are not, so dropout stays off.
        if isinstance(layer, GradientCheckpointingLayer):
            layer.training = True


def save_value_head(head_state: dict[str, Tensor], folder: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in head_state.items()}, folder / CRITIC_HEAD)
