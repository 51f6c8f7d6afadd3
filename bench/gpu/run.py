"""Measure everything that needs a GPU, with one command that can be repeated until all parts are done.

    python bench/gpu/run.py --out figures --model SMOLLM2 --prompts prompts.parquet
    python bench/gpu/run.py --out figures --small               the same parts on a CPU, tiny

    python bench/gpu/run.py --signatures                        our calls against the libraries, no GPU

Parts, in order: torch (attention, precision and an update with torch alone), smoke (versions, engine, probe,
sleep, free memory at each boundary), rollout (with and without stop strings), ppo (training with evaluations
before and after), speed-0.5b and speed-1.5b (rollout, training, sync, memory, for models of Qwen2.5's
dimensions with random weights), profile (where a step's time goes). Each part is a child process with its own
time limit; finished parts are not run again, and ppo continues from its checkpoint. Imports only torch,
transformers, vllm, deepspeed, polars, pydantic, python-flint and this project; see README.md in this folder.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "torch": ("torch_only", 120),
    "smoke": ("smoke", 240),
    "rollout": ("rollout", 240),
    "ppo": ("ppo", 560),
    "speed-0.5b": ("speed", 300),
    "speed-1.5b": ("speed", 400),
    "profile": ("profile", 240),
}
"""Name of a part: its module, and the seconds that one start may take."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="folder for the figures")
    parser.add_argument(
        "--signatures",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="only check our calls of torch, vLLM and DeepSpeed against their sources; needs no GPU",
    )
    parser.add_argument(
        "--state", type=Path, default=Path("/tmp/reasoner-zero-gpu"), help="folder kept between commands"
    )
    parser.add_argument("--small", action="store_true", help="tiny models on a CPU")
    parser.add_argument("--model", help="SmolLM2-135M: folder in Hugging Face format, or a GGUF file")
    parser.add_argument("--prompts", help="compiled prompt set (rewards/prompts.parquet of a run)")
    parser.add_argument("--ppo-steps", type=int, default=120, help="steps of part ppo (default: 120)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--seconds", type=float, default=570.0, help="total time limit (default: 570)")
    arguments = parser.parse_args()
    if arguments.signatures is not None:
        sys.path.insert(1, str(ROOT))
        from bench.gpu.signatures import main as check_signatures

        sys.exit(check_signatures(arguments.signatures or None))
    if arguments.out is None:
        parser.error("the following arguments are required: --out")
    ends = time.monotonic() + arguments.seconds
    for folder in (arguments.out, arguments.state):
        folder.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts:
        module, limit = PARTS[part]
        if is_done(arguments.state, part):
            say(f"{part}: already done")
        elif ends - time.monotonic() < min(60, limit):
            say(f"{part}: no time left; run the same command again")
        else:
            run_part(part, module, min(limit, ends - time.monotonic()), arguments)
        copy_figures(arguments.state, part, arguments.out)
    missing = [part for part in arguments.parts if not is_done(arguments.state, part)]
    say("all parts are done" if not missing else f"to do: {', '.join(missing)}")
    sys.exit(1 if missing else 0)


def run_part(part: str, module: str, limit: float, arguments: argparse.Namespace) -> None:
    """Run one part in a separate process group, which is killed at its time limit."""
    folder = arguments.state / part
    folder.mkdir(exist_ok=True)
    job = {"part": part, "ppo_steps": arguments.ppo_steps}
    job |= {name: getattr(arguments, name) for name in ("small", "model", "prompts")}
    command = [sys.executable, "-m", f"bench.gpu.{module}", str(folder), json.dumps(job)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    if arguments.model is None or Path(arguments.model).exists():
        environment["HF_HUB_OFFLINE"] = "1"
    if arguments.small:
        environment |= {"CUDA_VISIBLE_DEVICES": ""}
        environment.setdefault("OMP_NUM_THREADS", "1")
    started = time.monotonic()
    with (folder / "log.txt").open("a") as log:
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            status = child.wait()
    took = time.monotonic() - started
    if status == 0:
        (folder / "done").write_text(f"{took:.0f}\n")
        say(f"{part}: done in {took:.0f} s")
    else:
        say(f"{part}: status {status} after {took:.0f} s; the log ends:")
        say("\n".join((folder / "log.txt").read_text(errors="replace").splitlines()[-12:]))


def copy_figures(state: Path, part: str, out: Path) -> None:
    """Copy everything small that a part wrote: figures, tables, logs; no weights."""
    for path in sorted([*(state / part).glob("*"), *(state / part / "run").glob("*.jsonl")]):
        if path.suffix in (".json", ".jsonl", ".txt", ".parquet") and path.stat().st_size < 8 * 2**20:
            (out / part).mkdir(exist_ok=True)
            shutil.copyfile(path, out / part / path.name)


def is_done(state: Path, part: str) -> bool:
    return (state / part / "done").exists()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
