"""Known data sets: where each is published, what its fields mean, which rows count, what is special about it.

known_dataset("dapo-math-17k").source      # settings of a SourceConfig
"""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "datasets"


@dataclass(frozen=True, slots=True)
class KnownDataset:
    """One file of `datasets/`."""

    name: str
    title: str
    about: str
    """What is special about it."""
    documented: str
    """Where that is documented."""
    source: dict[str, Any]
    """Settings of `curation.sources.config.SourceConfig`."""

    @property
    def hub(self) -> str:
        return str(self.source["hub"]["id"])


@cache
def known_datasets() -> dict[str, KnownDataset]:
    """All known data sets by name, in alphabetical order."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        texts = {key: table[key] for key in ("title", "about", "documented")}
        found[path.stem] = KnownDataset(path.stem, source=table["source"], **texts)
    return found


def known_dataset(name: str) -> KnownDataset:
    """A known data set; ValueError names the nearest one when there is none of this name."""
    known = known_datasets()
    by_key = {_key(one): one for one in known}
    by_key |= {_key(entry.hub.rpartition("/")[2]): one for one, entry in known.items()}
    by_key |= {_key(entry.hub): one for one, entry in known.items()} | {_key(one): one for one in known}
    if (key := _key(name)) in by_key:
        return known[by_key[key]]
    near = get_close_matches(key, by_key, n=1, cutoff=0.5)
    hint = f"did you mean {by_key[near[0]]!r}?" if near else f"known: {', '.join(known)}"
    raise ValueError(f"dataset {name!r} is not known; {hint} (reasoner-zero curate --list-datasets)")


def _key(name: str) -> str:
    return "".join(one for one in name.lower() if one.isalnum())
