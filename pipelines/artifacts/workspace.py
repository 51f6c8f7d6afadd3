"""A run's folder, runs/<name>: the resolved config, logs, summary and links to its artifacts.

runs/artifacts/<stage>/<fingerprint>/   shared by all runs: what exists is not made again
runs/<name>/<stage>                     link to the artifact that this run uses (or is making)
runs/<name>/{config.json, summary.json, report.html, logs/, tensorboard/}
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.artifacts.artifact import Artifact, Draft, Stage, Store, locked
from pipelines.config import RunConfig, load_config
from rewards.contracts.files import read_json, write_json

COMMAND_OF = {"base": "train", "overlap": "eval", "sample": "eval", "evaluate": "eval"}
"""The command that makes an artifact, if their names differ."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One run: its config, its folder and the artifact store."""

    config: RunConfig
    root: Path
    occupy: Callable[[RunConfig, str], AbstractContextManager[Any]] = lambda config, stage: nullcontext()
    """Entered while a stage is built, not when it is found: on a server it waits for the stage's GPUs."""

    @classmethod
    def open(cls, config: RunConfig, root: Path) -> "Workspace":
        workspace = cls(config, root.resolve())
        workspace.folder.mkdir(parents=True, exist_ok=True)
        write_json(workspace.folder / "config.json", config.model_dump(mode="json"))
        return workspace

    @classmethod
    def reopen(cls, folder: Path) -> "Workspace":
        """Open an existing run by its folder; FileNotFoundError says how to make one."""
        if not (folder / "config.json").exists():
            raise FileNotFoundError(f"{folder}: not a run; make one with: reasoner-zero run --config FILE")
        config = RunConfig.model_validate(read_json(folder / "config.json"))
        return cls(config.model_copy(update={"name": folder.name}), folder.resolve().parent)

    @property
    def folder(self) -> Path:
        return self.root / self.config.name

    @property
    def store(self) -> Store:
        return Store(self.root)

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def produce(
        self,
        stage: Stage,
        section: Any,
        inputs: dict[str, str],
        build,
        link: str = "",
    ) -> Artifact:
        """Make or find an artifact and link it in the run's folder as `link` (default: the stage's name)."""
        name = link or stage.name

        def build_with_devices(draft: Draft) -> None:
            with self.occupy(self.config, stage.name):
                build(draft)

        artifact = self.store.produce(
            stage, section, inputs, build_with_devices, lambda folder: self._link(name, folder)
        )
        self._link(name, artifact.folder)
        return artifact

    def linked(self, name: str) -> Artifact:
        """The finished artifact behind runs/<name>/<link>."""
        link = self.folder / name
        if not (link / "manifest.json").exists():
            stage = name.partition("-")[0]
            command = COMMAND_OF.get(stage, stage)
            raise FileNotFoundError(
                f"{link}: not made yet; use reasoner-zero {command} --config FILE or run --config FILE"
            )
        target = link.resolve()
        return Artifact(target.parent.name, target.name, target)

    def _link(self, name: str, target: Path) -> None:
        link = self.folder / name
        temporary = link.with_name(f".{name}.link")
        # The same run may be active twice.
        with locked(self.folder / ".links.lock"):
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
            os.replace(temporary, link)


def open_workspace(config: str, overrides: dict[str, Any] | None = None, runs: str = "runs") -> Workspace:
    """Load a configuration file, apply dotted overrides, and open the run's folder."""
    return Workspace.open(load_config(Path(config), overrides), Path(runs))


def section(model: Any, *excluded: str) -> Any:
    """A config section as plain data for manifest and fingerprint, without fields that affect nothing."""
    return model.model_dump(mode="json", exclude=set(excluded))
