"""The defaults are the paper's, bad combinations are rejected by name, and every field has a docstring."""

import inspect

import pytest
from pydantic import ValidationError

import training.config
import training.sections.model
import training.sections.ppo
from rewards.contracts.settings import Settings
from tests.training.conftest import tiny_config
from training.config import TrainingConfig
from training.sections.model import CorpusPhase, ModelConfig, ScratchConfig

DEFAULT = TrainingConfig(model=ModelConfig(path="some/model"))
SECTIONS = [
    item
    for module in (training.config, training.sections.model, training.sections.ppo)
    for _, item in inspect.getmembers(module, inspect.isclass)
    if issubclass(item, Settings) and item.__module__ == module.__name__
]


@pytest.mark.parametrize(
    "name, value, source",
    [
        ("n_steps", 1000, "paper, figure 1"),
        ("prompt.template", "orz", "paper, table 1"),
        ("rollout.prompts_per_step", 128, "paper, section 2.3"),
        ("rollout.samples_per_prompt", 64, "paper, section 2.3"),
        ("rollout.temperature", 1.0, "paper, section 2.3"),
        ("rollout.top_p", 1.0, "paper, section 2.3"),
        ("rollout.max_prompt_tokens", 2048, "script, prompt_max_len"),
        ("rollout.max_new_tokens", 8000, "script, generate_max_len"),
        ("rollout.stop", ("User:", "Human:", "Assistant:", "</answer>"), "script, stop"),
        ("ppo.gamma", 1.0, "paper, section 2.2"),
        ("ppo.gae_lambda", 1.0, "paper, section 2.2"),
        ("ppo.clip_eps", 0.2, "paper, section 2.2"),
        ("ppo.value_clip_eps", 0.2, "reference code, value_clip"),
        ("ppo.whiten_advantages", True, "script, advantage_normalize"),
        ("ppo.policy_minibatches", 1, "paper, section 2.3: strictly on-policy"),
        ("ppo.critic_minibatches", 12, "paper, section 2.3"),
        ("actor.lr", 1e-6, "paper, section 2.3"),
        ("critic.lr", 5e-6, "paper, section 2.3"),
        ("actor.warmup_steps", 50, "paper, section 2.3"),
        ("critic.warmup_steps", 50, "paper, section 2.3"),
        ("actor.betas", (0.9, 0.95), "paper, section 2.3"),
        ("critic.betas", (0.9, 0.95), "paper, section 2.3"),
        ("actor.weight_decay", 0.0, "paper, section 2.3"),
        ("critic.weight_decay", 0.0, "paper, section 2.3"),
        ("actor.max_grad_norm", 1.0, "reference code, gradient_clipping"),
        ("critic.max_grad_norm", 1.0, "reference code, gradient_clipping"),
        ("deepspeed.zero_stage", 3, "script, zero_stage"),
        ("deepspeed.precision", "bf16", "script, bf16"),
        ("deepspeed.gradient_checkpointing", True, "reference code"),
        ("anneal.hard_below", 4 / 64, "paper, section 2.3: hard prompts"),
        ("actor.final_lr", 3e-7, "paper, section 2.3: annealing"),
        ("anneal.n_steps", 0, "only the 32B model is annealed"),
        ("save_every", 50, "script, save_interval"),
        ("model.warmup", None, "paper, section 2.1: straight on the base model"),
    ],
)
def test_default_is_the_published_value(name, value, source):
    found = DEFAULT
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value, source


def test_the_update_has_no_kl_and_no_entropy_term():
    # Paper, section 2.2: no KL regularization of any kind. The switches for ablations default to off.
    assert DEFAULT.ppo.kl_coef == DEFAULT.ppo.entropy_coef == 0
    assert DEFAULT.ppo.clip_eps_high is None and DEFAULT.ppo.max_importance_weight is None
    assert DEFAULT.ppo.advantages == "gae" and DEFAULT.ppo.has_critic


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_field_says_what_it_means(section):
    assert section.__doc__ and section.__doc__.strip()
    for name, field in section.model_fields.items():
        assert field.description and len(field.description) > 10, f"{section.__name__}.{name}"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_section_is_frozen_and_refuses_unknown_keys(section):
    assert section.model_config["frozen"]
    assert section.model_config["extra"] == "forbid"


@pytest.mark.parametrize(
    "changes, words",
    [
        pytest.param(
            {"model": {}}, ["set exactly one of path, gguf, scratch", "none"], id="model from nowhere"
        ),
        pytest.param(
            {"model": {"path": "a", "gguf": "b"}}, ["exactly one", "path", "gguf"], id="model from two places"
        ),
        pytest.param(
            {"model": {"path": "a", "warmup": {}}}, ["warmup", "scratch"], id="warm-up of a pretrained model"
        ),
        pytest.param(
            {"deepspeed": {"n_ranks": 3}},
            ["rollout.prompts_per_step (4)", "deepspeed.n_ranks (3)"],
            id="prompts over ranks",
        ),
        pytest.param(
            {"ppo": {"critic_minibatches": 17}},
            ["ppo.critic_minibatches", "16 responses per rank"],
            id="empty critic minibatch",
        ),
        pytest.param(
            {"ppo": {"policy_minibatches": 9, "critic_minibatches": 1}, "deepspeed": {"n_ranks": 2}},
            ["ppo.policy_minibatches", "8 responses per rank"],
            id="empty policy minibatch",
        ),
        pytest.param(
            {
                "rollout": {
                    "prompts_per_step": 4,
                    "samples_per_prompt": 4,
                    "max_prompt_tokens": 40,
                    "max_new_tokens": 25,
                }
            },
            ["rollout.max_prompt_tokens + max_new_tokens (65)", "model.scratch.max_tokens (64)"],
            id="context of a scratch model",
        ),
        pytest.param({"ppo": {"clip_eps": 1.5}}, ["ppo.clip_eps", "less than 1"], id="clip range"),
        pytest.param(
            {"ppo": {"gae_lambda": 1.1}}, ["ppo.gae_lambda", "less than or equal to 1"], id="lambda"
        ),
        pytest.param(
            {"ppo": {"gama": 1.0}}, ["ppo.gama", "Extra inputs are not permitted"], id="typing error"
        ),
        pytest.param(
            {"ppo": {"kl_coef": 0.1, "kl_estimator": "k1"}},
            ["ppo.kl_estimator", "k2 or k3"],
            id="a KL loss without a gradient",
        ),
        pytest.param(
            {"ppo": {"advantages": "rloo"}, "rollout": {"samples_per_prompt": 1}},
            ["ppo.advantages = 'rloo'", "2 samples_per_prompt"],
            id="a group of one",
        ),
        pytest.param(
            {"rollout": {"engine": "torch", "tensor_parallel": 2}, "deepspeed": {"n_ranks": 2}},
            ["rollout.tensor_parallel", "vllm"],
            id="torch over two GPUs",
        ),
        pytest.param({"rollout": {"temperature": 0}}, ["rollout.temperature", "greater than 0"], id="greedy"),
        pytest.param({"rollout": {"top_p": 1.5}}, ["rollout.top_p", "less than or equal"], id="top-p"),
        pytest.param({"rollout": {"top_p": 0.99}}, ["rollout.top_p = 0.99", "Set it to 1"], id="nucleus"),
        pytest.param(
            {"rollout": {"samples_per_prompt": 0}}, ["rollout.samples_per_prompt"], id="no responses"
        ),
        pytest.param({"critic": {"lr": -1e-6}}, ["critic.lr", "greater than or equal"], id="uphill"),
        pytest.param(
            {"actor": {"lr": 1e-6, "max_grad_norm": 0}}, ["actor.max_grad_norm"], id="everything clipped"
        ),
        pytest.param({"n_steps": 0}, ["n_steps and anneal.n_steps are both 0"], id="no steps"),
        pytest.param({"actor": {}}, ["actor.lr", "required"], id="no learning rate"),
    ],
)
def test_bad_settings_are_refused_with_the_names_of_the_fields(changes, words):
    with pytest.raises(ValidationError) as caught:
        tiny_config(**changes)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "hidden, n_heads", [pytest.param(65, 2, id="not divisible"), pytest.param(48, 2, id="head size 24")]
)
def test_a_head_size_vllm_cannot_run_is_refused(hidden, n_heads):
    with pytest.raises(ValidationError, match=rf"hidden / n_heads must be .*got {hidden} / {n_heads}"):
        ScratchConfig(hidden=hidden, n_heads=n_heads)


@pytest.mark.parametrize("careful, quick", [(0.7, 0.4), (-0.1, 0.5), (0.5, -0.1)])
def test_shares_that_are_no_shares_are_refused(careful, quick):
    said = r"careful \+ quick \+ hasty \+ rechecked must be at most 1, got|greater than or equal to 0"
    with pytest.raises(ValidationError, match=said):
        CorpusPhase(n_steps=1, careful=careful, quick=quick)


def test_the_limits_themselves_are_allowed():
    tiny_config(ppo={"critic_minibatches": 16, "policy_minibatches": 16})
    tiny_config(deepspeed={"n_ranks": 4}, ppo={"critic_minibatches": 4})
    CorpusPhase(n_steps=1, careful=0.6, quick=0.4)


def test_annealing_needs_the_rate_at_its_end():
    with pytest.raises(ValidationError, match=r"anneal.n_steps needs actor.final_lr"):
        tiny_config(anneal={"n_steps": 2})
    tiny_config(anneal={"n_steps": 2}, actor={"lr": 3e-4, "final_lr": 3e-7})
