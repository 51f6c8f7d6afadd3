"""The peer of ppo_step.py: TRL's GRPOTrainer with transformers' generate, in a separate environment.

python bench/peers/trl_step.py MODEL PROMPTS.json N_STEPS   prints seconds and lengths of the steps as JSON
"""

import json
import re
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

N_SAMPLES, BATCH, MAX_NEW = 8, 128, 48
BOX = re.compile(r"\\boxed\{(.*?)\}")


class Clock(TrainerCallback):
    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def on_step_begin(self, *_, **__) -> None:
        self.started = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__) -> None:
        self.wall.append(time.perf_counter() - self.started[0])
        self.cpu.append(time.process_time() - self.started[1])


def reward(completions: list[str], answer: list[str], **_) -> list[float]:
    """1 for the right boxed answer, by comparing text: far less work than the suite's verifier."""
    found = [BOX.search(text) for text in completions]
    return [float(hit is not None and hit[1] == gold) for hit, gold in zip(found, answer, strict=True)]


def main(model: str, prompts: str, n_steps: int) -> None:
    torch.set_num_threads(1)
    rows = json.loads(Path(prompts).read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    clock = Clock()
    # A training step without GRPO's KL term: the least work that TRL does for a policy update.
    config = GRPOConfig(
        output_dir=sys.argv[2] + ".out",
        per_device_train_batch_size=BATCH,
        num_generations=N_SAMPLES,
        max_completion_length=MAX_NEW,
        beta=0.0,
        temperature=1.0,
        learning_rate=0.0,
        max_steps=n_steps,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    trainer.train()
    logs = trainer.state.log_history
    tokens = [entry["completions/mean_length"] for entry in logs if "completions/mean_length" in entry]
    sys.stdout.write("\n" + json.dumps({"wall": clock.wall, "cpu": clock.cpu, "tokens": tokens}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
