"""Versions of a publication: the tag, the date, and what changed since the one before.

A version is named by the content of what is published, so equal bytes have one tag, whatever code made them.
The changelog is continued from the one at the hub's head: the two versions' manifests say what differs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.cards.card import markdown_text
from pipelines.publishing.manifests import without_folders

CHANGELOG = "CHANGELOG.md"
TITLE = "# Changelog\n\nWhat changed from version to version, newest first, told from the manifests.\n"
SHOWN = 8
"""Settings that an entry names."""


@dataclass(frozen=True, slots=True)
class Version:
    """The version that is about to be published."""

    tag: str
    date: str
    """Day of its first publication, YYYY-MM-DD."""
    changelog: str
    """The whole CHANGELOG.md."""

    @property
    def number(self) -> str:
        """The version as Croissant asks for it, N.0.0 for the N-th entry of the changelog."""
        return f"{self.changelog.count(chr(10) + '## v-')}.0.0"

    @property
    def latest(self) -> str:
        """The newest entry, without its heading, for the card."""
        return self.changelog.removeprefix(TITLE).strip().split("\n## ")[0].partition("\n")[2].strip()


def next_version(
    manifests: Mapping[str, dict[str, Any]], stage: str, documents: Mapping[str, Any], today: str = ""
) -> Version:
    """The version of what `manifests` describe; `documents` are those at the hub's head, if it is ours.

    Publishing the same content again continues nothing: tag, date and changelog stay as they are there.
    """
    manifests = without_folders(dict(manifests))  # As they are published: the changelog quotes settings.
    tag = f"v-{manifests[stage]['content']}"
    old = documents.get(CHANGELOG, "")
    heading = next((line for line in old.splitlines() if line.startswith("## ")), "")
    if heading.startswith(f"## {tag} "):
        return Version(tag, heading.rpartition(" ")[2], old)
    date = today or datetime.now(UTC).date().isoformat()
    entry = f"\n## {tag} - {date}\n\n{_bullets(describe_changes(manifests, documents, stage))}\n"
    return Version(tag, date, TITLE + entry + old.removeprefix(TITLE))


def describe_changes(
    manifests: Mapping[str, dict[str, Any]], before: Mapping[str, Any], stage: str
) -> list[str]:
    """Sentences about what differs between the published manifests `before` and the new ones.

    >>> old = {"rewards": {"content": "a", "counts": {"kept": 600}, "config": {}, "inputs": {}}}
    >>> new = {"rewards": {"content": "b", "counts": {"kept": 588}, "config": {"rate": 2}, "inputs": {}}}
    >>> describe_changes(new, old, "rewards")
    ['12 rows fewer: 600 before, 588 now.', 'Setting rewards.rate: unset before, 2 now.']
    """
    if stage not in before:
        return ["First version."]
    said = []
    old_rows, new_rows = (each[stage].get("counts", {}).get("kept") for each in (before, manifests))
    if None not in (old_rows, new_rows) and stage == "rewards":
        n = abs(new_rows - old_rows)
        word = "fewer" if new_rows < old_rows else "more"
        numbers = f"{old_rows:,} before, {new_rows:,} now"
        said.append(f"{n:,} rows {word}: {numbers}." if n else f"As many rows as before: {new_rows:,}.")
    settings: list[str] = []
    for name, manifest in manifests.items():
        earlier = before.get(name, {})
        said += _inputs(name, earlier.get("inputs", {}), manifest["inputs"])
        old, new = (_flat(each.get("config") or {}, name) for each in (earlier, manifest))
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                values = f"{_shown(old, key)} before, {_shown(new, key)} now"
                settings.append(markdown_text(f"Setting {key}: {values}."))
        if earlier.get("code_version") != manifest.get("code_version") and not settings:
            said.append(f"The code of the stage {name} changed.")
    if len(settings) > SHOWN:
        settings = [*settings[:SHOWN], f"{len(settings) - SHOWN} more settings changed; see `manifests/`."]
    return [*said, *settings] or ["No setting and no input changed."]


def _inputs(stage: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Sources and benchmarks that came, went or changed."""
    said = []
    for name in sorted(old.keys() | new.keys()):
        kind, _, label = name.partition(":")
        if not label or old.get(name) == new.get(name):
            continue
        how = "is new" if name not in old else "was removed" if name not in new else "has new content"
        said.append(f"The {kind} {markdown_text(label)} {how}.")
    return said


def _flat(config: Any, prefix: str) -> dict[str, Any]:
    if isinstance(config, dict):
        pairs = list(config.items())
    elif isinstance(config, list) and any(isinstance(entry, dict | list) for entry in config):
        pairs = [
            (entry["name"] if isinstance(entry, dict) and "name" in entry else str(number), entry)
            for number, entry in enumerate(config)
        ]
    else:
        return {prefix: config}
    return {key: value for name, entry in pairs for key, value in _flat(entry, f"{prefix}.{name}").items()}


def _shown(flat: dict[str, Any], key: str) -> str:
    text = json.dumps(flat[key], ensure_ascii=False) if key in flat else "unset"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _bullets(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
