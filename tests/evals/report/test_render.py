"""The report page: whole, offline, deterministic, and safe against what a model writes."""

import dataclasses
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import polars as pl
import pytest

from evals.report import Headline, ReportData, headlines, render_report
from evals.report.canvas import HALF, drawing, panel, percent, to_svg
from evals.report.files import write_figures
from evals.report.render import build_page
from evals.report.samples import draw_samples, to_script_json
from rewards.contracts import records

VIEWER = "view/index.html#"
"""Links to samples: followed on a click, not loaded."""
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror="document.title=1"><!--'


def training_metrics(n_steps: int = 30) -> pl.DataFrame:
    generator = np.random.default_rng(0)
    columns = {name: generator.random(n_steps) for name in records.METRIC.names}
    frame = pl.DataFrame(columns | {"step": np.arange(1, n_steps + 1)})
    none = pl.Series([None] * 5 + [20.0] * (n_steps - 5))
    return records.METRIC.check(frame.with_columns(response_tokens_correct=none))


def training_timings(n_steps: int = 30) -> pl.DataFrame:
    ones = {column.name: pl.Series([1] * n_steps, dtype=column.dtype) for column in records.TIMING.columns}
    return records.TIMING.check(pl.DataFrame(ones | {"step": np.arange(1, n_steps + 1)}))


@pytest.fixture(scope="module")
def data(make_completions) -> ReportData:
    names = [f"q{number}" for number in range(8)]
    levels = {name: str(number % 2) for number, name in enumerate(names)}
    base = make_completions(dict.fromkeys(names, "0001"), levels=levels)
    final = make_completions(dict.fromkeys(names, "1101"), levels=levels)
    base = base.with_columns(response=pl.lit(HOSTILE + " Wait, ") + pl.col("response"))
    return ReportData(
        run="toy run <1>",
        subtitle="A toy.",
        headlines=headlines(base, final, {"Reward": (0.25, 0.75)}),
        config="[training]\nname = '<b>'",
        base=base,
        final=final,
        metrics=training_metrics(),
        timings=training_timings(),
        reflection=pl.DataFrame(
            [(1, 0.2, None, 12.0), (2, 0.4, 30.0, 20.0)],
            schema=["step", "reflection_rate", "correct_reflection_tokens", "response_tokens"],
            orient="row",
        ),
        checkpoints=pl.concat(
            [
                frame.with_columns(step=pl.lit(step, pl.Int64()))
                for step, frame in ((0, base), (10, base), (20, final))
            ]
        ),
        funnel=pl.DataFrame(
            [("read", 10, 10, 0), ("filter", 10, 7, 3)],
            schema=["step", "read", "kept", "dropped"],
            orient="row",
        ),
        answer_types=pl.DataFrame({"answer_type": ["integer", "fraction"], "count": [5, 2]}),
        overlap=pl.DataFrame(
            {"benchmark": ["toy"], "n_questions": [8], "n_overlapping": [0], "n_removed": [3]}
        ),
        lineage=pl.DataFrame({"artifact": ["curate"], "fingerprint": ["f" * 64]}),
        notes=("One question was set aside.",),
    )


@pytest.fixture(scope="module")
def text(data) -> str:
    return render_report(data)


class Page(HTMLParser):
    """Collects elements, ids and everything that would be loaded from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset") and not value.startswith(("#", VIEWER)):
                self.fetched.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


def test_where_a_run_is_heading_is_said_and_drawn(data):
    steps = np.arange(1, 61)
    noise = np.random.default_rng(0).normal(0, 0.02, len(steps))
    reward = pl.Series(np.clip(0.9 - 0.7 * np.exp(-steps / 6) + noise, 0, 1))
    metrics = training_metrics(60).with_columns(reward=reward, accuracy=reward)
    page = render_report(dataclasses.replace(data, metrics=metrics))
    (said,) = re.findall(r"If the run goes on as it did, (reward heads to .*?)\(saturating", page)
    level, low, high = map(float, re.findall(r"\d\.\d\d", said))
    assert low <= 0.9 <= high and low < level < high and "95% of the way by step" in said
    assert "Dotted: where it is heading" in page
    assert "heads to" not in render_report(data)


def test_page_is_whole_and_loads_nothing(text):
    page = Page(text)
    assert page.fetched == []
    assert page.handlers == []
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    assert len(page.ids) == len(set(page.ids))
    assert text.count('role="img"') == 8 + 1 + 6 + 2 + 2  # figures by section, in order
    assert text.count('class="dot') == 2 + 1 + 3 * (
        2 + 4
    )  # results, difference; both models by level, length
    assert page.tags.count("th") == text.count("<th scope=")
    assert len(text) < 3_000_000
    for number in range(1, 9):
        assert f"#0000{number:02x}" not in text  # all placeholder colors became variables
    assert "var(--final)" in text


def test_same_data_give_the_same_bytes(data, text):
    assert render_report(data) == text


def test_headline_numbers_are_on_the_page(text):
    lengths = "response length fell from 17.5 to 12.5 tokens"
    assert f"Accuracy on toy rose from 25.0% to 75.0% and {lengths}." in text
    assert "+50.0 points" in text
    assert "from 17.5 tokens" in text
    assert "One question was set aside." in text
    assert "toy 0 of 8" in text


def test_untrusted_text_stays_text(text):
    """Neither the samples nor the config may open an element."""
    page = Page(text)
    assert page.tags.count("script") == 2
    assert "img" not in page.tags and "b" not in re.findall(r"<(b)>name", text)
    assert "toy run &lt;1&gt;" in text
    assert HOSTILE not in text
    assert "script-src 'sha256-" in text and "default-src 'none'" in text


def test_whatever_text_is_hostile_the_page_has_the_same_elements(data, text):
    """Problems, golds, readings, labels, notes, the judges' quotes: as text, and nothing but text."""

    def spoil(frame: pl.DataFrame) -> pl.DataFrame:
        kept = {"benchmark", "question_id", "reason", "step"}
        names = [name for name in frame.columns if frame[name].dtype == pl.String and name not in kept]
        return frame.with_columns(
            [(pl.lit(HOSTILE) + pl.col(name).fill_null("")).alias(name) for name in names]
        )

    judged = {
        "benchmark": "toy", "question_id": "q1", "sample": 0, "gold": "1", "ours": True, "our_reading": "1",
        "our_reason": "equal", "theirs": False, "their_gold": "1", "their_reading": "2", "orz": True,
        "model": "base",
    }  # fmt: skip
    quiet = dataclasses.replace(data, disagreements=pl.DataFrame([judged]))
    loud = dataclasses.replace(
        quiet,
        subtitle=HOSTILE,
        config=HOSTILE,
        notes=(HOSTILE,),
        timing_note=HOSTILE,
        base=spoil(data.base),
        final=spoil(data.final),
        disagreements=spoil(quiet.disagreements),
        funnel=data.funnel.with_columns(step=pl.lit(HOSTILE) + pl.col("step")),
        answer_types=spoil(data.answer_types),
        lineage=spoil(data.lineage),
        overlap=data.overlap.with_columns(benchmark=pl.lit(HOSTILE)),
    )
    page = Page(rendered := render_report(loud))
    outside = {
        tag: Page(render_report(quiet)).tags.count(tag) for tag in ("script", "img", "a", "form", "iframe")
    }
    assert {tag: page.tags.count(tag) for tag in outside} == outside
    assert page.handlers == [] and page.fetched == [] and HOSTILE not in rendered


def test_figures_say_their_values_and_ticks_are_right(data):
    steps = data.metrics.with_columns(clip_fraction=pl.lit(0.0), reward=pl.Series([0.25] * 29 + [0.5]))
    text = render_report(ReportData(run="r", metrics=steps))
    assert "reward 0.25 at step 1, 0.5 at step 30, from 0.25 to 0.5." in text
    clipped = text[text.index("Clipped tokens.") :].split("</svg>")[0]
    ticks = re.findall(r">([−\d.]+%)<", clipped)
    assert ticks and not any("−" in tick for tick in ticks)
    assert [percent(share) for share in (0.025, -0.025, 0.5)] == ["2.5%", "−2.5%", "50%"]


def test_benchmarks_are_not_pooled(make_completions):
    """100 easy questions and 2 hard ones: each has its tile, and the average counts both alike."""
    small = make_completions({"h1": "0", "h2": "0"}, benchmark="hard")
    large = make_completions({f"e{number}": "1" for number in range(100)}, benchmark="easy")
    both = pl.concat([small, large])
    tiles = {tile.name: tile for tile in headlines(both, both)}
    assert tiles["Macro average of 2 benchmarks"].after == 0.5
    assert (tiles["hard, avg@1"].after, tiles["easy, avg@1"].after) == (0.0, 1.0)
    assert tiles["Response length, macro average"].after == 15.0


def test_what_has_no_score_is_said_beside_the_score(data):
    aside = [("final", "toy", 1, 9, "prompt of 812 tokens exceeds the engine's (question 7)")]
    names = ["model", "benchmark", "n_set_aside", "n_questions", "detail"]
    facts = (("Sampling", "temperature 1.0 <b>"),)
    noted = dataclasses.replace(
        data, set_aside=pl.DataFrame(aside, schema=names, orient="row"), facts=facts, price=2.0
    )
    text = render_report(noted)
    assert "toy: 1 of 9 questions set aside: prompt of 812 tokens" in text and "(final)" in text
    assert text.count("1 of 9 set aside") == 1
    assert "temperature 1.0 &lt;b&gt;" in text and "cost a question" in text


def test_contests_after_the_models_data_are_told_apart(make_completions):
    frames = [
        make_completions({"a": "01", "b": "11"}, benchmark=name) for name in ("aime2024", "aime2026", "mine")
    ]
    both = pl.concat(frames)
    text = render_report(ReportData(run="r", base=both, final=both, cutoff="2024-09"))
    rows = re.findall(
        r'<th scope="row">(\w+)</th>.*?"public since">(.*?)</td>.*?"after 2024-09">(.*?)</td>', text, re.S
    )
    assert dict.fromkeys(rows) == dict.fromkeys(
        [("aime2024", "2024-02", "no"), ("aime2026", "2026-02", "yes"), ("mine", "–", "–")]
    )
    assert "after 2024-09" not in render_report(ReportData(run="r", base=both))


def test_groups_and_budgets_are_tables(data):
    row = {
        "benchmark": "toy",
        "budget": 1024,
        "accuracy": 0.1,
        "ci95_low": 0.1,
        "ci95_high": 0.2,
        "cut": 0.75,
    }
    text = render_report(dataclasses.replace(data, budgets=pl.DataFrame([row | {"model": "final"}])))
    assert "Accuracy against the token budget, final" in text and "75.0% cut" in text
    assert "toy by level" in text and text.count('class="cards sortable"') == 2


def test_parts_without_data_are_absent():
    text = render_report(ReportData(run="empty"))
    assert Page(text).tags.count("svg") == 0
    assert "<section" not in text


@pytest.mark.parametrize(
    "kept",
    ["metrics", "base", "final", "funnel", "lineage", "timings", "answer_types", "config", "reflection"],
)
def test_each_part_stands_alone(data, kept):
    assert render_report(ReportData(run="part", **{kept: getattr(data, kept)})).endswith("</html>")


def test_completions_that_were_all_set_aside_leave_dashes(data):
    nothing = data.final.clear()
    text = render_report(
        ReportData(run="r", headlines=headlines(nothing, nothing), base=nothing, final=nothing)
    )
    assert "Accuracy" in text and "–" in text and Page(text).tags.count("svg") == 0


def test_samples_of_other_tools_may_lack_lengths(make_completions):
    unknown = ("n_response_tokens", "n_prompt_tokens", "seed", "finish_reason", "is_truncated")
    frame = make_completions({"a": "01", "b": "11"}, levels={"a": "1", "b": "2"})
    frame = frame.with_columns(pl.lit(None, frame.schema[name]).alias(name) for name in unknown)
    tiles = headlines(frame.clear(), frame)
    text = render_report(ReportData(run="r", headlines=tiles, final=frame, label="model"))
    assert "toy by level" in text and "by length" not in text and "toy, avg@2" in text
    assert ">model</td>" in text and ">final</td>" not in text and 'role="img"' not in text


def test_missing_headline_is_a_dash():
    text = render_report(ReportData(run="r", headlines=(Headline("Reward", None, None),)))
    assert "–" in text


def test_samples_are_fair_and_bounded(data):
    both = {"base": data.base, "final": data.final}
    everything = draw_samples(both)
    assert len(everything) == 8 * 2 * 4 and {sample["more"] for sample in everything} == {0}
    assert {sample["change"] for sample in everything} == {"gained"}
    few = draw_samples(both, max_bytes=4_000)
    assert 0 < len(few) < len(everything)
    assert few == everything[: len(few)]


def test_shared_instructions_are_stripped_from_the_problem(data):
    frame = data.final.with_columns(prompt=pl.lit("Be brief.\n") + pl.col("prompt") + "\nAssistant: <think>")
    assert {sample["problem"] for sample in draw_samples({"final": frame})} == {
        f"What is q{n}?" for n in range(8)
    }


def test_script_json_cannot_leave_its_element():
    assert not set("<>&") & set(to_script_json([HOSTILE, "&amp;"]))


def test_svg_follows_the_page_colors_and_has_no_date():
    with drawing():
        figure, (ax,) = panel(HALF)
        ax.plot([0, 1], [0, 1], color="#000002")
        ax.set_xlabel("step")
        text = to_svg(figure, "plot", 'a "line"')
    assert text.startswith("<svg viewBox=") and 'aria-label="a &quot;line&quot;"' in text
    assert "var(--final)" in text and "font-family" not in text
    assert ">step</text>" in text
    assert not re.search(r"\d{4}-\d\d-\d\d", text)


def test_figures_are_files_in_the_light_colors(data, tmp_path: Path):
    def write(folder: Path) -> list[Path]:
        page = build_page(dataclasses.replace(data, metrics=None, timings=None, reflection=None))
        return write_figures(dataclasses.replace(page, sections=page.sections[:1]), folder)

    paths = write(tmp_path / "one")
    assert {path.name for path in paths} == {
        f"training-{key}.{suffix}" for key in ("checkpoint0", "levels0") for suffix in ("png", "pdf")
    }
    red, green, blue = np.moveaxis(matplotlib.image.imread(paths[-2])[..., :3], -1, 0)
    assert ((green > red + 0.2) & (blue > red + 0.2)).mean() > 0.1  # cells in the page's teal
    assert not ((red + green == 0) & (blue > 0) & (blue < 0.04)).any()  # no placeholder color is left
    again = write(tmp_path / "two")
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="needs a Chromium on the PATH")
def test_browser_filters_samples_and_runs_no_model_output(text, tmp_path: Path):
    """Open the page in a real browser, choose a filter, and read what is shown."""
    # Without the policy, which would block the test's click: now only the page's script protects the text.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    click = """<script>
      const select = document.getElementById("f-model");
      select.value = "final";
      select.dispatchEvent(new Event("input"));
      const sort = document.querySelector(".sortable th button");
      sort.click(); sort.click();
    </script></body>"""
    path = tmp_path / "report.html"
    path.write_text(page.replace("</body>", click), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    flags += f" --disable-component-update --disable-sync --user-data-dir={tmp_path / 'profile'} --dump-dom"
    shown = subprocess.run(
        [str(chromium()), *flags.split(), path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    listed = shown[shown.index('id="samples-list"') : shown.index('id="more"')]
    assert "32 responses to 8 questions" in shown and "2 more responses, 1 correct" in listed
    assert listed.count('class="question"') == 6
    assert "final 1" in listed and "base 1" not in listed
    assert "<title>toy run" in shown
    assert 'aria-sort="descending"' in shown
    levels = re.findall(r'<th scope="row" data-sort="(\d)"', shown)
    assert levels == ["1", "0"]
