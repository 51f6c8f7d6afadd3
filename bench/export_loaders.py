"""Check that other trainers' own loaders read our exported prompt sets.

    python bench/export_loaders.py runs/demo/rewards/prompts.parquet

Each trainer gets a separate environment (bench/peers/environment.py) with this project's torch and datasets;
its own code is imported there and reads the exported file. The result is compared row by row.
Open-Reasoner-Zero is not an installable package; its layout is checked in tests/rewards/test_export.py.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
from rich.console import Console
from rich.table import Table

from bench.peers.environment import peer_environment
from rewards.export import export_prompts

TOKENIZER = """\
import json, sys
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast

path = sys.argv[1]
words = Tokenizer(WordLevel({chr(code): code for code in range(1, 256)}, unk_token=chr(1)))
words.pre_tokenizer = Split("", behavior="isolated")
template = "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"
special = {"unk_token": chr(1), "pad_token": chr(2)}
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, chat_template=template, **special)
"""
TRL = """\
from datasets import load_dataset
from trl.data_utils import is_conversational, maybe_apply_chat_template

rows = load_dataset("json", data_files=path, split="train")
assert is_conversational(rows[0])
prompts = [maybe_apply_chat_template({"prompt": row["prompt"]}, tokenizer)["prompt"] for row in rows]
found = [[prompt, row["answer"]] for prompt, row in zip(prompts, rows)]
"""
VERL = """\
from omegaconf import OmegaConf
from verl.utils.dataset.rl_dataset import RLHFDataset

config = {"max_prompt_length": 100000, "filter_overlong_prompts_workers": 1, "return_raw_chat": True}
rows = RLHFDataset(path, tokenizer, OmegaConf.create(config))
found = []
for index in range(len(rows)):
    row = rows[index]
    prompt = tokenizer.apply_chat_template(list(row["raw_prompt"]), tokenize=False)
    found.append([prompt, row["reward_model"]["ground_truth"]])
"""
OPENRLHF = """\
from types import SimpleNamespace
from datasets import load_dataset
from openrlhf.datasets.prompts_dataset import PromptDataset

data = SimpleNamespace(input_key="input", label_key="label", apply_chat_template=True)
strategy = SimpleNamespace(args=SimpleNamespace(data=data), is_rank_0=lambda: False)
rows = PromptDataset(load_dataset("json", data_files=path, split="train"), tokenizer, strategy)
found = [[rows[index][1], rows[index][2]] for index in range(len(rows))]
"""
ANSWER = '\njson.dump(found, open(sys.argv[2], "w"))\n'
PEERS = {
    "trl": (["trl==1.16.0"], TRL),
    "verl": (
        # --no-deps: the dependencies of its trainers are not needed to read a file.
        [
            *("--no-deps", "verl==0.9.1", "tensordict", "omegaconf", "antlr4-python3-runtime==4.9.3"),
            *("pyvers", "codetiming", "hydra-core", "ray"),
        ],
        VERL,
    ),
    "openrlhf": (["--no-deps", "openrlhf==0.11.2", "pylatexenc"], OPENRLHF),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prompts", type=Path, help="prompts.parquet of a run's rewards")
    parser.add_argument("--rows", type=int, default=500, help="number of rows to compare (default: 500)")
    arguments = parser.parse_args()
    compiled = pl.read_parquet(arguments.prompts).head(arguments.rows)
    expected = [
        [f"<user>{problem}", answer] for problem, answer in compiled.select("problem", "answer").rows()
    ]
    table = Table("trainer", "loader of", "rows read", "same prompt and answer")
    is_good = True
    with tempfile.TemporaryDirectory() as folder:
        for layout, (requirements, code) in PEERS.items():
            path = export_prompts(compiled, Path(folder), layout)
            found = read_by_peer(layout, requirements, code, path, Path(folder) / f"{layout}.found.json")
            n_same = sum(map(list.__eq__, found, expected))
            is_good &= n_same == len(found) == len(expected)
            version = next(name for name in requirements if name.startswith(layout))
            table.add_row(layout, version, f"{len(found)} of {len(expected)}", str(n_same))
    Console().print(table)
    sys.exit(0 if is_good else 1)


def read_by_peer(layout: str, requirements: list[str], code: str, path: Path, found: Path) -> list[list[str]]:
    """[prompt as the trainer would send it, reference answer] of every row."""
    python = peer_environment(layout, requirements, shares=True)
    command = [str(python), "-c", TOKENIZER + code + ANSWER, str(path), str(found)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{layout}: {done.stderr[-3000:]}")
    return json.loads(found.read_text())


if __name__ == "__main__":
    main()
