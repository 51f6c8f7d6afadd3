"""Text from data, problems and models in Markdown: shown as it is, never an element, a link or a column."""

import json
from pathlib import Path

import polars as pl
import pytest
from markdown_it import MarkdownIt

from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import fenced, markdown_table, markdown_text
from pipelines.config import load_config
from pipelines.stages.curate import curate_stage

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
STRUCTURE = {
    "html_inline",
    "html_block",
    "link_open",
    "image",
    "code_inline",
    "em_open",
    "strong_open",
    "s_open",
}
HOSTILE = [
    '<img src=x onerror="alert(1)">',
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![p](http://127.0.0.1/p.png)",
    r"\[click\](javascript:alert(1))",
    "a|b||c",
    r"a\|b\\|c",
    "`code` ``` ~~~",
    "**bold** ~~gone~~",
    "[x][y] [x]: http://127.0.0.1/ [1, 2]",
    "[x]: http://127.0.0.1/",
    "<http://127.0.0.1/>",
    "&lt;b&gt; &amp;",
    "=HYPERLINK(1)",
    "x\n\n# heading\n\n- list",
    "--- | ---",
]


def structure(text: str) -> set[str]:
    found = {token.type for token in PARSER.parse(text)}
    for token in PARSER.parse(text):
        found |= {child.type for child in token.children or ()}
    return found


def shown(text: str) -> list[str]:
    """What a reader sees of each inline part."""
    return [
        "".join(child.content for child in token.children or ())
        for token in PARSER.parse(text)
        if token.type == "inline"
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_data_stays_text(text: str) -> None:
    table = markdown_table(pl.DataFrame({text: [text, "plain"], "rows": [1, 2]}))
    assert not structure(table) & STRUCTURE
    one_line = " ".join(text.split())
    assert shown(table) == [one_line, "rows", one_line, "1", "plain", "2"]
    line = f"- a: {markdown_text(text)}"
    assert not structure(line) & STRUCTURE and shown(line) == [f"a: {one_line}"]


@pytest.mark.parametrize("text", [*HOSTILE, "```\n<b>out</b>", "````text\n```\n<b>"])
def test_a_block_of_code_cannot_be_ended_from_inside(text: str) -> None:
    (block,) = PARSER.parse(fenced(text))
    assert block.type == "fence" and block.content == f"{text}\n"


CONFIG = """
name = "hostile"
[[curation.sources]]
name = "mine"
file = "mine.jsonl"
subject = "subject"
level = "level"
license = "MIT <script>alert(1)</script>"
[training]
n_steps = 1
[evals]
benchmarks = []
[training.model]
path = "none"
"""


def test_the_card_of_a_hostile_corpus_has_the_structure_of_an_honest_one(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(CONFIG)

    def card(name: str, labels: list[str]) -> tuple[str, Path]:
        folder = tmp_path / name
        folder.mkdir()
        rows = [
            {
                "problem": f"What is {n} times {n + 3}? Topic {n}.",
                "answer": str(n * (n + 3)),
                "subject": label,
                "level": label,
            }
            for n, label in enumerate(labels, 11)
        ]
        (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = load_config(tmp_path / "run.toml", {"data_root": str(folder)})
        artifact = curate_stage(Workspace.open(config, tmp_path / f"runs-{name}"))
        return (artifact.folder / "README.md").read_text().split("\n---\n", 1)[1], artifact.folder

    honest, _ = card("honest", [f"Topic {n}." for n in range(len(HOSTILE))])
    hostile, folder = card("hostile", HOSTILE)
    subjects = pl.read_parquet(folder / "data")["subject"].to_list()
    assert any("<img" in str(subject) for subject in subjects), "the labels reach the corpus unchanged"
    for parsed in (honest, hostile):
        assert not structure(parsed) & {"html_inline", "html_block", "link_open"}
    images = [line for line in hostile.splitlines() if line.startswith("![")]
    assert images == [line for line in honest.splitlines() if line.startswith("![")]
    assert hostile.count("\n# ") == honest.count("\n# ")
    assert not list(folder.rglob("*.csv")), "a spreadsheet would run what a cell begins with"
