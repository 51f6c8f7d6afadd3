"""A rank of bench/survive.py: the real worker, which stops once at a given place and waits to be killed.

SURVIVE_AT=PHASE:STEP:FOLDER names the place, and the folder where each rank notes its process ids.
"""

import os
import sys
import time
from pathlib import Path

from pipelines.jobs import worker

WAIT_S = 120.0


def stop_at(phase: str, step: int, folder: Path) -> None:
    import training.ppo
    import training.saving.checkpoints as checkpoints
    import training.saving.exports as exports
    import training.train as loop
    from training.rollout.torch_sampler import TorchSampler

    now, rank = {"step": 0}, os.environ.get("RANK", "0")
    note = folder / f"rank-{rank}"

    def before(owner, name: str) -> None:
        original = getattr(owner, name)

        def wrapped(*arguments, **options):
            # A checkpoint is written while the next step is made; it says itself which one it is of.
            if (arguments[1] if phase == "save" else now["step"]) == step and not note.exists():
                note.write_text(f"{os.getpid()} {os.getppid()}")
                ends = time.monotonic() + WAIT_S
                while time.monotonic() < ends and not (folder / "go").exists():
                    time.sleep(0.05)
            return original(*arguments, **options)

        setattr(owner, name, wrapped)

    run_step = loop.run_step

    def counted(config, step, *arguments, **options):
        now["step"] = step
        return run_step(config, step, *arguments, **options)

    loop.run_step = counted
    owner, name = {
        "rollout": (TorchSampler, "generate"),
        "update": (training.ppo, "policy_loss"),
        "save": (checkpoints.Saver, "_write"),
        "export": (exports, "write_weights"),
    }[phase]
    before(owner, name)


if __name__ == "__main__":
    phase, step, folder = os.environ["SURVIVE_AT"].split(":", 2)
    if phase:
        stop_at(phase, int(step), Path(folder))
    worker.main(sys.argv[1:])
