"""Drive the viewer in a real browser over 24,256 responses: times, clicks, keys, dark, phone.

    python -m pip install playwright          # and a Chromium on the PATH: apt-get install chromium
    python bench/evals/viewer.py [--shots DIR]

The responses are those of bench/evals/report.py before and after training in one evaluation, with formulas.
The server is `reasoner-zero view` in a process of its own; the folder is what --static writes. Every
check that fails ends the bench.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import psutil
from playwright.sync_api import Page, sync_playwright
from report import make_completions
from rich.console import Console
from rich.table import Table

FORMULAS = (
    r" so $x^2+\frac{1}{2}\le\sqrt{y}$ and \[\int_0^1 \frac{dx}{1+x^2}=\frac{\pi}{4}\] hold, \(a\) too. "
)
WIDTHS = {"wide": 1280, "tablet": 768, "phone": 390}


def make_run(folder: Path) -> int:
    """A run with one evaluation and its disagreements."""
    before, after = make_completions(0.4, 0), make_completions(0.9, 1)
    both = pl.concat([after, before.with_columns(sample=pl.col("sample") + 16)])
    text = pl.col("response").str.slice(0, 900) + FORMULAS * 6 + pl.col("response").str.slice(900)
    both = both.with_columns(response=text)
    evaluation = folder / "evaluate-final"
    evaluation.mkdir(parents=True)
    both.write_parquet(evaluation / "completions.parquet", statistics=False)
    keys = both.select("benchmark", "question_id", "sample").gather_every(50)
    keys.write_parquet(evaluation / "disagreements.parquet")
    (evaluation / "manifest.json").write_text("{}")
    return both.height


@contextmanager
def viewing(run: Path) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "pipelines", "view", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http\S+", process.stdout.readline())
            assert found, "no address was printed"
            yield found[0], psutil.Process(process.pid)
        finally:
            process.terminate()


def until_ready(page: Page, act: str) -> float:
    """Milliseconds from an action (JavaScript) until the page has drawn its result."""
    look = "document.body.dataset.ready !== before ? requestAnimationFrame(done) : setTimeout(look, 1)"
    return page.evaluate(
        "() => new Promise((resolve) => {"
        "  const before = document.body.dataset.ready, start = performance.now();"
        "  const done = () => resolve(performance.now() - start);"
        f" const look = () => {{ {look} }}; {act}; look(); }})"
    )


def wait(page: Page, condition: str) -> None:
    """Until a JavaScript expression holds; the page's own policy forbids Playwright's way of waiting."""
    end = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.01)


def choose(name: str, value: str) -> str:
    return (
        f"const node = document.getElementById('{name}'); node.value = {value!r};"
        f"node.dispatchEvent(new Event('{'input' if name == 'search' else 'change'}', {{bubbles: true}}));"
    )


def first_paint(page: Page, address: str) -> float:
    page.goto(address, wait_until="commit")
    page.wait_for_selector("body[data-ready]")
    return page.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now())))")


def measure(page: Page, address: str) -> dict[str, float]:
    times = {"first paint": first_paint(page, address), "first paint, again": first_paint(page, address)}
    for name, value in (
        ("verdict", "wrong"), ("benchmark", "math500"), ("subject", "algebra"), ("reflection", "yes"),
        ("disagreement", "yes"), ("min", "500"), ("sort", "longest"),
    ):  # fmt: skip
        times[f"filter: {name}"] = until_ready(page, choose(name, value))
    until_ready(page, "document.getElementById('reset').click()")
    times["search, with its pause of 120"] = until_ready(page, choose("search", "boxed{13}"))
    assert " of " in page.inner_text("#count"), page.inner_text("#count")
    until_ready(page, "document.getElementById('reset').click()")
    times["open a response"] = until_ready(page, "document.querySelector('#list li:nth-child(20) a').click()")
    assert page.locator("#reading math").count() > 10, "formulas are drawn"
    return times


def use(page: Page, address: str) -> None:
    """Clicks and keys, as a person would."""
    page.goto(address)
    page.wait_for_selector("#list li")
    page.select_option("#verdict", "wrong")
    wait(page, "!document.querySelector('#list .right')")
    page.click("#list li:nth-child(2) a")
    page.wait_for_selector("#reading h2")
    first = page.inner_text("#reading h2")
    page.keyboard.press("j")
    wait(page, f"document.querySelector('#reading h2').textContent !== {first!r}")
    page.keyboard.press("k")
    wait(page, f"document.querySelector('#reading h2').textContent === {first!r}")
    page.keyboard.press("r")
    page.wait_for_selector("#reading .text.raw")
    page.reload()
    page.wait_for_selector("#reading h2")
    assert page.inner_text("#reading h2") == first, "the address is a link to the response"
    page.keyboard.press("/")
    page.keyboard.type("q-that-is-nowhere")
    wait(page, "document.getElementById('count').textContent.startsWith('0 responses')")
    page.keyboard.press("Escape")
    page.click("#reset")
    page.wait_for_selector("#list li")
    page.click("#next")
    wait(page, "document.getElementById('count').textContent.startsWith('51')")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=Path, help="write screenshots here")
    shots = parser.parse_args().shots
    table = Table("what", "server, ms", "folder, ms")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        run = Path(name) / "big"
        n = make_run(run)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        started = time.perf_counter()
        folder = Path(name) / "shown"
        command = [sys.executable, "-m", "pipelines", "view", str(run), "--static", str(folder)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")  # noqa: T201
        took = time.perf_counter() - started
        with viewing(run) as (address, server):
            times = []
            for place in (address, (folder / "index.html").as_uri()):
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                faults: list[str] = []
                page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
                page.on(
                    "console", lambda line, faults=faults: line.type == "error" and faults.append(line.text)
                )
                times.append(measure(page, place))
                use(page, place)
                assert not faults, faults
                for label, width in WIDTHS.items():
                    page.set_viewport_size({"width": width, "height": 844})
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, label
                page.close()
            for scheme in ("light", "dark") if shots else ():
                take_shots(browser, address, scheme, shots)
            memory = server.memory_info().rss / 2**20
        browser.close()
    for what in times[0]:
        table.add_row(what, *(f"{each[what]:.0f}" for each in times))
    Console().print(
        table, f"{n:,} responses; folder written in {took:.0f} s; server {memory:.0f} MiB", sep="\n"
    )


def take_shots(browser, address: str, scheme: str, shots: Path) -> None:
    for label, width in WIDTHS.items():
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.goto(address)
        page.wait_for_selector("#list li")
        page.screenshot(path=shots / f"list-{label}-{scheme}.png")
        page.click("#list li:nth-child(20) a")
        page.wait_for_selector("#reading math")
        page.screenshot(path=shots / f"response-{label}-{scheme}.png")
        page.close()


if __name__ == "__main__":
    main()
