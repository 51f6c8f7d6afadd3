"""A run's folder: its links follow what was made, even when the same run is started twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipelines.artifacts.workspace import Workspace


def test_two_writers_of_a_link_do_not_meet(licensed_run: Workspace, tmp_path: Path) -> None:
    workspace = Workspace.open(licensed_run.config, tmp_path)
    targets = [tmp_path / "artifacts" / "toy" / name for name in ("a", "b", "c", "d")]

    def link_often(target: Path) -> None:
        for _ in range(100):
            workspace._link("toy", target)

    with ThreadPoolExecutor(len(targets)) as pool:
        assert list(pool.map(link_often, targets)) == [None] * len(targets)
    assert (workspace.folder / "toy").resolve() in targets
    assert [path.name for path in workspace.folder.glob("*.link")] == []
