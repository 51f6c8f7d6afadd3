"""The changelog between two versions, from their manifests."""

from pipelines.publishing.versions import TITLE, describe_changes, next_version


def manifests(kept: int, content: str, sources: dict[str, str], min_chars: int = 10) -> dict:
    curate = {
        "content": f"c{content}",
        "counts": {"kept": kept},
        "config": {"filters": {"min_chars": min_chars}},
        "inputs": {f"source:{name}": value for name, value in sources.items()},
        "code_version": "1",
    }
    rewards = {
        "content": content,
        "counts": {"kept": kept},
        "config": {},
        "inputs": {"curate": f"c{content}"},
    }
    return {"curate": curate, "rewards": rewards | {"code_version": "1"}}


def test_what_changed_is_told_by_rows_sources_and_settings():
    old = manifests(600, "a", {"mine": "1", "gone": "1"})
    new = manifests(588, "b", {"mine": "2", "fresh": "1"}, min_chars=20)
    assert describe_changes(new, old, "rewards") == [
        "12 rows fewer: 600 before, 588 now.",
        "The source fresh is new.",
        "The source gone was removed.",
        "The source mine has new content.",
        "Setting curate.filters.min_chars: 10 before, 20 now.",
    ]


def test_the_same_content_keeps_tag_date_and_changelog():
    first = next_version(manifests(600, "a", {"mine": "1"}), "rewards", {}, "2026-01-02")
    assert first.tag == "v-a" and first.latest == "- First version."
    documents = {**manifests(600, "a", {"mine": "1"}), "CHANGELOG.md": first.changelog}
    again = next_version(manifests(600, "a", {"mine": "1"}), "rewards", documents, "2027-01-01")
    assert again == first
    second = next_version(manifests(601, "b", {"mine": "2"}), "rewards", documents, "2027-01-01")
    assert second.date == "2027-01-01" and "1 rows more" in second.latest
    assert second.changelog.startswith(TITLE) and second.changelog.count("\n## v-") == 2
    assert "First version" not in second.latest and "First version" in second.changelog


def test_the_changelog_names_no_folder_of_this_machine():
    old, new = (manifests(600, content, {"mine": content}) for content in "ab")
    old["curate"]["config"] = {"sources": [{"name": "mine", "file": "mine.jsonl"}], "n": 1}
    new["curate"]["config"] = {"sources": [{"name": "mine", "file": "../own/mine.jsonl"}], "n": 2}
    said = next_version(new, "rewards", old, "2026-01-02").latest
    assert "own" not in said and "mine.file" not in said and "Setting curate.n: 1 before, 2 now." in said
