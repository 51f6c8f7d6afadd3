"""GPUs of this machine, and those that this process may use, without importing torch."""

import os
import shutil
import subprocess
from pathlib import Path


def own_gpus(part: int, tensor_parallel: int) -> None:
    """Limit this process to its share of the run's GPUs; call it before torch looks for them."""
    visible = visible_gpus()
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(
            visible[part * tensor_parallel : (part + 1) * tensor_parallel]
        )


def visible_gpus() -> list[str]:
    """Ids of the GPUs that this run may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu]
    return [str(index) for index in range(len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))]


def gpu_names() -> list[str]:
    """Names of the machine's NVIDIA GPUs, from the driver."""
    lines = [
        line
        for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for line in file.read_text().splitlines()
    ]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def describe_gpus() -> list[str]:
    """Name and memory of each NVIDIA GPU, from nvidia-smi."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    listed = subprocess.run(
        [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"], capture_output=True, text=True
    )
    return (
        [line.strip() for line in listed.stdout.splitlines() if line.strip()]
        if listed.returncode == 0
        else []
    )


def smallest_gpu_gib() -> float | None:
    """Memory of the smallest NVIDIA GPU of this machine, in GiB; None without one."""
    sizes = [gpu.rpartition(",")[2].strip().split()[0] for gpu in describe_gpus() if "," in gpu]
    return min((float(size) / 1024 for size in sizes if size.isdecimal()), default=None)


def describe_driver() -> tuple[str, float] | None:
    """Version of the NVIDIA driver and the lowest compute capability of its GPUs; None when it is silent."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=driver_version,compute_cap", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True)
    rows = [line.split(",") for line in listed.stdout.splitlines() if line.count(",") == 1]
    if listed.returncode or not rows:
        return None
    return rows[0][0].strip(), min(float(capability) for _, capability in rows)
