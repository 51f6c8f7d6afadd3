"""Save a large checkpoint to a slow disk while training goes on (Linux, root; a loop device and cgroup v1).

python bench/slow_disk.py --mb-s 25 --width 768           2.5 GB, two ranks: a write of 100 s

The disk is a file behind a loop device whose writes the kernel throttles. Two ranks over gloo train a model
of random weights meanwhile. Shown: the seconds of the save, the steps that were made during it, and
that the checkpoint loads.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from bench.survive import Case, make_template
from training.saving.steps import saved_steps

LINE = r"([\d-]+ [\d:]+),\d+ .* checkpoint step=(\d+) gib=([\d.]+) write_s=([\d.]+)"
THROTTLE = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")


@contextmanager
def slow_disk(image: Path, size_gib: int, mb_s: float):
    """Mount a new file system in `image`, writes limited to `mb_s`; yields its folder."""
    subprocess.run(["truncate", "-s", f"{size_gib}G", str(image)], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    command = ["losetup", "-f", "--show", str(image)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    device = shown.stdout.strip()
    folder = image.with_suffix(".mount")
    folder.mkdir()
    number = os.stat(device).st_rdev
    limit = f"{os.major(number)}:{os.minor(number)}"
    subprocess.run(["mount", device, str(folder)], check=True)
    try:
        THROTTLE.write_text(f"{limit} {int(mb_s * 1e6)}")
        yield folder
    finally:
        THROTTLE.write_text(f"{limit} 0")
        subprocess.run(["umount", "-l", str(folder)], check=False)
        subprocess.run(["losetup", "-d", device], check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mb-s", type=float, default=25.0)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    model = {
        "training.model.scratch": {
            "hidden": arguments.width,
            "n_layers": 10,
            "n_heads": arguments.width // 64,
            "intermediate": 4 * arguments.width,
            "max_tokens": 96,
        },
        "training.model.warmup.phases": [{"n_steps": 1, "careful": 0.3, "quick": 0.7}],
        "training.model.warmup.batch_size": 2,
        "training.rollout.max_new_tokens": 16,
        "training.rollout.prompts_per_step": 2,
        "training.rollout.samples_per_prompt": 2,
        "training.ppo.critic_minibatches": 1,
        "training.n_steps": arguments.steps,
        "training.save_every": arguments.steps // 2,
        "training.keep_best": 0,
        "training.must_fit": False,
        "training.deepspeed.n_ranks": arguments.ranks,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        template = make_template(folder, model)
        with slow_disk(folder / "disk", 24, arguments.mb_s) as disk:
            case = Case(template, disk / "case", model)
            status = case.finish(case.start(), 1500)
            report(case, status)
    sys.exit(status)


def report(case: Case, status: int) -> None:
    log = (case.runs / "demo/logs/train.log").read_text()
    console = Console(width=140)
    console.print(f"status {status}; finished: {case.is_reported_done}")
    rows = sorted((case.folder / "rollouts").glob("step-*-rank-000.parquet"))
    for when, step, gib, seconds in re.findall(LINE, log):
        ended = datetime.strptime(when, "%Y-%m-%d %H:%M:%S").timestamp()
        during = [int(r.name[5:11]) for r in rows if ended - float(seconds) < r.stat().st_mtime < ended]
        console.print(f"checkpoint of step {step}: {float(gib) * 1.0737:.2f} GB written in {seconds} s")
        console.print(f"steps sampled meanwhile: {during}")
    console.print(f"checkpoints that load: {saved_steps(case.folder.with_suffix('.state'))}")
    if status:
        console.print(case.tail())


if __name__ == "__main__":
    main()
