"""Resumable checkpoints: fp32 weights and Adam moments of actor and critic, for any number of ranks.

Each rank copies its fragments to the host and writes them with torch's distributed checkpoint while training
goes on. A checkpoint gets its name when every rank's file and the index are on the disk, so the newest one is
always complete. Nothing else needs saving: data order, minibatch shuffles and sampling seeds are functions of
(seed, step).
"""

import io
import logging
import os
import shutil
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor

from rewards.contracts.files import sync_folder
from training.ranks import Ranks
from training.saving.fragments import KINDS, adam_step, fragments, set_adam_step, tensors, use_loaded
from training.saving.steps import saved_steps, step_folder

logger = logging.getLogger(__name__)
SEPARATOR = "|"
PACE_BYTES = 32 * 2**20
# A single rank needs no process group, and says so by no_dist.
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable")
Pieces = dict[tuple[str, str, str], list[tuple[int, int, str]]]
"""By engine, kind and parameter: (start, elements, key) of every saved fragment."""


class PacedFile(io.BufferedWriter):
    """A file whose bytes go to the disk as they are written, PACE_BYTES at a time.

    Otherwise the system would hold gigabytes back, and the next step's records would wait behind them.
    """

    behind = 0

    def write(self, data: Any) -> int:
        whole = memoryview(data).cast("B")
        for start in range(0, len(whole), PACE_BYTES):
            self.behind += super().write(whole[start : start + PACE_BYTES])
            if self.behind >= PACE_BYTES:
                self.flush()
                os.fdatasync(self.fileno())
                self.behind = 0
        return len(whole)


class PacedFileSystem(dcp.filesystem.FileSystem):
    """torch's file system for checkpoints, with paced writes."""

    @contextmanager
    def create_stream(self, path: Any, mode: str) -> Iterator[Any]:
        if mode != "wb":
            with super().create_stream(path, mode) as stream:
                yield stream
        else:
            with PacedFile(io.FileIO(path, "w")) as stream:
                yield stream


class Saver:
    """Write checkpoints to `root` in the background, one at a time; the newest `keep` stay."""

    def __init__(self, root: Path, keep: int, ranks: Ranks, timeout_hours: float = 6.0) -> None:
        self.root, self.keep, self.ranks = root, keep, ranks
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="save")
        self.pending: Future[None] | None = None
        # Ranks agree on the end of a save beside training, so not through the group that training uses.
        limit = timedelta(hours=timeout_hours)
        self.group = dist.new_group(backend="gloo", timeout=limit) if ranks.world > 1 else None
        if ranks.is_first:  # What a killed start has left; the ranks meet before the first save.
            for partial in root.glob("*.partial"):
                shutil.rmtree(partial)

    def save(self, step: int, engines: Mapping[str, Any]) -> None:
        """Copy the engines' states to the host and begin to write them, once the save before has ended."""
        self.wait()
        state: dict[str, Tensor] = {}
        for name, engine in engines.items():
            state |= host_copies(name, engine, self.ranks)
        self.root.mkdir(parents=True, exist_ok=True)
        self.pending = self.thread.submit(self._write, step, state)

    def wait(self) -> None:
        """Wait for the save in progress; raises what went wrong with it, on every rank."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.result()

    def close(self) -> None:
        self.wait()
        self.thread.shutdown()

    def _write(self, step: int, state: dict[str, Tensor]) -> None:
        started = time.perf_counter()
        partial = self.root / f"step-{step:06d}.partial"
        writer = dcp.FileSystemWriter(partial, single_file_per_rank=True, sync_files=True)
        writer.fs = PacedFileSystem()
        try:
            dcp.save(state, storage_writer=writer, process_group=self.group, no_dist=self.ranks.world == 1)
        except dcp.api.CheckpointException as error:
            raise cause_of(error) from error
        if not self.ranks.is_first:
            return
        sync_folder(partial)
        shutil.rmtree(step_folder(self.root, step), ignore_errors=True)
        os.replace(partial, step_folder(self.root, step))
        sync_folder(self.root)
        for old in saved_steps(self.root)[: -self.keep]:
            shutil.rmtree(step_folder(self.root, old))
        n_bytes = sum(path.stat().st_size for path in step_folder(self.root, step).iterdir())
        seconds = time.perf_counter() - started
        logger.info("checkpoint step=%d gib=%.3f write_s=%.1f", step, n_bytes / 2**30, seconds)


def cause_of(error: "dcp.api.CheckpointException") -> BaseException:
    """The error of the first rank that failed: a full disk is told as such."""
    for failure in error.failures.values():
        return failure[0] if isinstance(failure, tuple) else failure
    return error


def host_copies(name: str, engine: Any, ranks: Ranks) -> dict[str, Tensor]:
    """Copies of what this rank saves of an engine, by the key of each fragment."""
    step = adam_step(engine)
    copies = {SEPARATOR.join((name, "step")): torch.tensor(step)} if ranks.is_first else {}
    for fragment in fragments(engine, ranks.rank, ranks.world):
        if fragment.owner != ranks.rank:
            continue
        for kind, tensor in tensors(engine, fragment).items():
            key = SEPARATOR.join((name, kind, fragment.name, str(fragment.start), str(fragment.numel)))
            copies[key] = tensor.to("cpu", copy=True)
    return copies


def load_state(root: Path, engines: Mapping[str, Any], ranks: Ranks) -> int:
    """Load the newest checkpoint into the engines; returns its step, or 0 when there is none.

    ValueError when it is not complete, or not of these models.
    """
    steps = saved_steps(root)
    if not steps:
        return 0
    folder = step_folder(root, steps[-1])
    try:
        reader = dcp.FileSystemReader(folder)
        pieces = index_pieces(reader)
    except (OSError, EOFError) as error:
        raise ValueError(f"{folder}: {error}; delete {folder} to resume from the one before") from error
    for name, engine in engines.items():
        try:
            _load_engine(reader, pieces, name, engine, ranks)
        except (KeyError, OSError, EOFError, dcp.api.CheckpointException) as error:
            cause = cause_of(error) if isinstance(error, dcp.api.CheckpointException) else error
            raise ValueError(
                f"{folder}, {name}: {cause}; delete {folder} to resume from the one before"
            ) from error
        use_loaded(engine)
    return steps[-1]


def index_pieces(reader: "dcp.FileSystemReader") -> Pieces:
    """The saved fragments of a checkpoint, in ascending order."""
    pieces: Pieces = defaultdict(list)
    for key in reader.read_metadata().state_dict_metadata:
        parts = key.split(SEPARATOR)
        if len(parts) == 5:
            name, kind, parameter, start, numel = parts
            pieces[name, kind, parameter].append((int(start), int(numel), key))
    return {place: sorted(found) for place, found in pieces.items()}


def _load_engine(
    reader: "dcp.FileSystemReader", pieces: Pieces, name: str, engine: Any, ranks: Ranks
) -> None:
    own = fragments(engine, ranks.rank, ranks.world)
    saved = {SEPARATOR.join((name, "step")): torch.tensor(0)}
    dcp.load(saved, storage_reader=reader, no_dist=True)
    step = int(*saved.values())
    if step:
        set_adam_step(engine, step, [*{id(fragment.flat): fragment.flat for fragment in own}.values()])
    for kind in KINDS if step else KINDS[:1]:
        wanted = {
            (fragment.name, fragment.start): overlapping(
                pieces, (name, kind, fragment.name), fragment.start, fragment.numel
            )
            for fragment in own
        }
        # One kind at a time, so that at most a third of this rank's state is in memory twice.
        read = {key: torch.empty(numel) for found in wanted.values() for _, numel, key in found}
        if read:
            dcp.load(read, storage_reader=reader, no_dist=True)
        for fragment in own:
            target = tensors(engine, fragment)[kind]
            end = fragment.start + fragment.numel
            for start, numel, key in wanted[fragment.name, fragment.start]:
                first, last = max(start, fragment.start), min(start + numel, end)
                piece = read[key][first - start : last - start]
                target[first - fragment.start : last - fragment.start].copy_(piece)


def overlapping(
    pieces: Pieces, place: tuple[str, str, str], start: int, numel: int
) -> list[tuple[int, int, str]]:
    """The saved pieces that cover elements `start` to `start + numel`; KeyError when they leave a gap."""
    found = [p for p in pieces.get(place, ()) if p[0] < start + numel and start < p[0] + p[1]]
    reached = start
    for first, n, _ in found:
        if first > reached:
            break
        reached = max(reached, first + n)
    if reached < start + numel:
        raise KeyError(f"the checkpoint lacks a part of {place[2]} ({place[1]})")
    return found
