"""How often forecasts are right: the rest of stored runs from their first half, and simulated curves.

python bench/evals/forecast.py runs ...          every run of 40 steps or more below these folders
python bench/evals/forecast.py runs --seen 0.75  from three quarters of the steps
python bench/evals/forecast.py --simulated 45    45 curves of each of 11 families (about 20 CPU-seconds)

Foreseen are the level, and the mean over the last tenth of the run as it is then measured, noise included;
`came` is that mean, which need not be the level yet. Of a simulated curve the level is known. Families with
a * are none of the forecast's own.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.statistics.forecast import MIN_STEPS, WIDEST, Forecast, Interval, forecast, weigh

Curve = Callable[[np.ndarray], np.ndarray]
"""From steps, in units of the time scale, to the share of the way that is done."""


def sigmoid(u: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-u))


def from_zero(curve: Curve) -> Curve:
    return lambda u: (curve(u) - curve(np.zeros(1))) / (1 - curve(np.zeros(1)))


CURVES: dict[str, Curve] = {
    "exponential": lambda u: 1 - np.exp(-u),
    "stretched, 0.6 *": lambda u: 1 - np.exp(-(u**0.6)),
    "Weibull, 2": lambda u: 1 - np.exp(-(u**2)),
    "hyperbola": lambda u: u / (1 + u),
    "Hill, 3": lambda u: u**3 / (1 + u**3),
    "logistic": from_zero(lambda u: sigmoid(4 * u - 4)),
    "Gompertz *": from_zero(lambda u: np.exp(-3 * np.exp(-2 * u))),
    "tanh *": np.tanh,
    "two exponentials *": lambda u: 0.7 * (1 - np.exp(-3 * u)) + 0.3 * (1 - np.exp(-u / 3)),
    "arc tangent *": lambda u: 2 / np.pi * np.arctan(1.5 * u),
    "power, 0.7 *": lambda u: 1 - (1 + u) ** -0.7,
}


def is_told(found: Forecast) -> bool:
    return found.level.high - found.level.low <= WIDEST


def written(interval: Interval) -> str:
    return f"{interval.middle:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def stored(folders: list[Path]) -> Iterator[tuple[str, np.ndarray, dict[str, np.ndarray]]]:
    """Name, steps and series of each run; runs with equal numbers only once."""
    seen: set[str] = set()
    # Under its run's name first, which is a link to the artifact.
    patterns = ("*/train/metrics.jsonl", "**/metrics.jsonl")
    files = [file for folder in folders for pattern in patterns for file in sorted(folder.glob(pattern))]
    for file in files:
        if file.parent.suffix == ".partial":  # still growing
            continue
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        steps = np.array([row["step"] for row in rows], float)
        series = {
            name: np.array([row[name] for row in rows], float)
            for name in ("reward", "accuracy")
            if rows and all(row.get(name) is not None for row in rows)
        }
        if len(series) == 2 and np.array_equal(series["reward"], series["accuracy"]):
            del series["accuracy"]
        digest = hashlib.sha256(b"".join(one.tobytes() for one in series.values())).hexdigest()
        if len(steps) >= 2 * MIN_STEPS and digest not in seen:
            seen.add(digest)
            folder = file.parent
            yield (folder.parent if folder.name == "train" else folder).name[:24], steps, series


def back_test(folders: list[Path], seen: float) -> Table:
    table = Table(title=f"stored runs from {seen:.0%} of their steps, 95 % intervals")
    for heading in ("run", "series", "seen", "now", "level", "end", "came", "end is", "level holds it"):
        table.add_column(heading, justify="left" if heading in ("run", "series") else "right")
    n_told = n_end = n_level = n_all = 0
    for name, steps, series in stored(folders):
        n_seen, tail = int(len(steps) * seen), max(4, len(steps) // 10)
        for what, values in series.items():
            n_all += 1
            now = f"{values[n_seen - 5 : n_seen].mean():.3f}"
            row = [name, what, f"{n_seen} of {len(steps)}", now]
            found, came = forecast(steps[:n_seen], values[:n_seen]), float(values[-tail:].mean())
            if found is None:
                table.add_row(*row, "silent", "", f"{came:.3f}")
                continue
            end, level = Interval.of(found.means(steps[-tail:])), found.level
            is_hit, is_inside = end.low <= came <= end.high, level.low <= came <= level.high
            n_told, n_end, n_level = n_told + 1, n_end + is_hit, n_level + is_inside
            verdict = ("miss", "hit")
            row += [written(level), written(end), f"{came:.3f}", verdict[is_hit], verdict[is_inside]]
            table.add_row(*row)
    table.caption = (
        f"{n_told} of {n_all} told; of these {n_end} ends hit, {n_level} inside the level's interval"
    )
    return table


def noise(n: int, lag: float, generator: np.random.Generator) -> np.ndarray:
    shocks = generator.standard_normal(n) * np.sqrt(1 - lag**2)
    shocks[0] /= np.sqrt(1 - lag**2)
    for step in range(1, n):
        shocks[step] += lag * shocks[step - 1]
    return shocks


def simulate(curve: Curve, seed: list[int], n_steps: int) -> tuple[np.ndarray, float]:
    """A series of rates with binomial-like, autocorrelated noise, and its level."""
    generator = np.random.default_rng(seed)
    start = generator.uniform(0, 0.5)
    level = generator.uniform(start + 0.1, 1)
    time_scale = n_steps * np.exp(generator.uniform(np.log(0.05), np.log(1.0)))
    lag, size = generator.choice([0, 0.3, 0.6]), generator.choice([0.02, 0.04])
    rate = start + (level - start) * curve(np.arange(n_steps) / time_scale)
    spread = size * 2 * np.sqrt(rate * (1 - rate) + 0.005)
    return np.clip(rate + noise(n_steps, lag, generator) * spread, 0, 1), level


def coverage(n_curves: int, n_steps: int) -> Table:
    table = Table(title=f"{n_curves} simulated curves a family, half of {n_steps} steps seen")
    for heading in (
        "family",
        "told",
        "level, 95 %",
        "level, 90 %",
        "end, 95 %",
        "end, 95 %, silent ones too",
    ):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    sums, steps, n_seen, tail = np.zeros(5), np.arange(n_steps), n_steps // 2, max(4, n_steps // 10)
    for number, (name, curve) in enumerate(CURVES.items()):
        counts = np.zeros(5)
        for seed in range(n_curves):
            values, level = simulate(curve, [number, seed], n_steps)
            found, came = weigh(steps[:n_seen].astype(float), values[:n_seen]), values[-tail:].mean()
            end = Interval.of(found.means(steps[-tail:]))
            inside = [_holds(found.level, level), _holds(Interval.of(found.end, 0.9), level)]
            hit = end.low <= came <= end.high
            told = is_told(found)
            counts += [told, *(told and one for one in (*inside, hit)), hit]
        table.add_row(name, *_shares(counts, n_curves))
        sums += counts
    table.add_row("all", *_shares(sums, n_curves * len(CURVES)), style="bold")
    return table


def _holds(interval: Interval, level: float) -> bool:
    """Levels are tried in steps of .005."""
    return interval.low - 0.0025 <= level <= interval.high + 0.0025


def _shares(counts: np.ndarray, n: int) -> list[str]:
    told = max(1, counts[0])
    return [f"{share:.1%}" for share in (counts[0] / n, *(counts[1:4] / told), counts[4] / n)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, help="folders of runs")
    parser.add_argument("--seen", type=float, default=0.5, help="share of a run's steps (default: 0.5)")
    parser.add_argument("--simulated", type=int, metavar="CURVES", help="also so many curves of each family")
    parser.add_argument("--steps", type=int, default=100, help="of a simulated run (default: 100)")
    arguments = parser.parse_args()
    started = time.process_time()
    console = Console(width=None if sys.stdout.isatty() else 160)
    if arguments.folders:
        console.print(back_test(arguments.folders, arguments.seen))
    if arguments.simulated:
        console.print(coverage(arguments.simulated, arguments.steps))
    console.print(f"{time.process_time() - started:.0f} CPU-s")


if __name__ == "__main__":
    main()
