"""Each adapter, called the way its library calls it (trl 1.16.0, verl 0.9.1, openrlhf 0.11.2)."""

import asyncio
import importlib.util
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from rewards import adapters
from rewards.adapters.trl import make_math_reward, math_reward

ADAPTERS = Path(adapters.__file__).parent


def load(name: str):
    """Load a file by its path, as verl and OpenRLHF do."""
    specification = importlib.util.spec_from_file_location("reward_func", ADAPTERS / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_trl_calls_with_columns_as_keywords() -> None:
    """GRPOTrainer._calculate_rewards: all columns, the trainer's state and two loggers are keywords."""
    logged: dict[str, list] = {}
    rewards = math_reward(
        prompts=["a", "b", "c", "d"],
        completions=[r"\boxed{\frac12}", r"\boxed{3}", r"\boxed{2 3}", "The answer is 7."],
        completion_ids=[[1], [2], [3], [4]],
        answer=["0.5", "4", "2 3", None],
        source=["x"] * 4,
        trainer_state=SimpleNamespace(global_step=1),
        log_extra=lambda column, values: logged.setdefault(column, []).extend(values),
        log_metric=lambda name, value: None,
    )
    assert rewards == [1.0, 0.0, None, None]
    assert logged["reason"][:2] == ["correct", "wrong"]
    assert math_reward.__name__ == "math_reward"


def test_trl_conversations_other_columns_and_modes() -> None:
    chat = [[{"role": "assistant", "content": r"hm</think><answer>\boxed{5}</answer>"}]]
    prompts = [[{"role": "user", "content": "2+3?"}]]
    assert make_math_reward("gold")(prompts, chat, gold=["5"]) == [1.0]
    assert make_math_reward(mode="orz")(["2+3?"], [r"\boxed{5}"], answer=["5"]) == [0.0]
    with pytest.raises(ValueError, match="no column 'answer'"):
        math_reward(prompts, chat, gold=["5"])


def test_verl_calls_by_keyword_from_a_thread() -> None:
    """reward_loop/reward_manager/naive.py: a function from a file, with merged kwargs, in an executor."""
    compute_score = partial(load("verl").compute_score, mode="lenient")

    async def judge() -> dict:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            None,
            lambda: compute_score(
                data_source="math", solution_str=r"\boxed{0.5}", ground_truth="1/2", extra_info={"index": 3}
            ),
        )

    assert asyncio.run(judge()) == {"score": 1.0, "acc": 1.0, "reason": "correct"}


def test_verl_batches() -> None:
    """workers/reward_manager/batch.py: plural keywords, arrays of objects."""
    scores = load("verl").compute_score_batch(
        data_sources=["m"] * 3,
        solution_strs=[r"\boxed{1}", r"\boxed{2}", "no"],
        ground_truths=["1", "3", None],
        extra_infos=[{}, {"rollout_reward_scores": {}}, {}],
    )
    assert [score["score"] for score in scores] == [1.0, 0.0, 0.0]
    assert [score["reason"] for score in scores] == ["correct", "wrong", "empty_gold"]


def test_openrlhf_calls_with_whole_queries() -> None:
    """utils/agent.py: one query per call, positional, in a thread; the experience gets 1-element tensors."""
    torch = pytest.importorskip("torch")
    reward_func = load("openrlhf").reward_func
    prompt = r"<|im_start|>user Put it in \boxed{9}<|im_end|>"

    async def judge(answer: str) -> dict:
        query = f"{prompt}So the answer is {answer}.<|im_end|>"
        return await asyncio.to_thread(reward_func, [query], [prompt], ["9"])

    right, wrong = asyncio.run(judge("9")), asyncio.run(judge("8"))
    assert right["rewards"].tolist() == right["scores"].tolist() == [1.0]
    assert wrong["rewards"].tolist() == [0.0]
    assert torch.tensor([right["rewards"]]).tolist() == [1.0]
    assert {key: value.tolist() for key, value in right["extra_logs"].items()} == {"answered": [1.0]}
