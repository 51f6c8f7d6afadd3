"""The GPUs that this process may use, without loading torch."""

import os
from pathlib import Path


def own_gpus(part: int, tensor_parallel: int) -> None:
    """Leave this process its share of the GPUs that the run may see; called before torch looks for them."""
    visible = visible_gpus()
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(
            visible[part * tensor_parallel : (part + 1) * tensor_parallel]
        )


def visible_gpus() -> list[str]:
    """Ids of the GPUs that this run may use, without loading torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu]
    return [str(index) for index in range(len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))]
