"""Fuzz the verifier with mutated references and responses: exceptions, slow rows, memory use, asymmetry.

python bench/verify_fuzz.py --minutes 10
python bench/verify_fuzz.py --minutes 10 --data ../shared/data/raw     also real references as seeds

Every round judges one mutated pair in every mode, and compares the two answers both ways. Findings are
printed with the seed that reproduces them: --seed S --minutes 0 --rounds 1. The exit status is 1 when there
are findings. A pair that is accepted in only one order is a finding, unless the policy is one-sided there:
percent signs, "a + b = 5" for 5, an option's text for its letter.
"""

import argparse
import itertools
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.parts.golds import read_golds
from bench.verify import peak_memory_bytes
from rewards.algebra.worker_pool import cpu_time
from rewards.grader import compare_answers, is_gradable, score, verify
from rewards.verdict import Mode, Reason

MODES: tuple[Mode, ...] = ("orz", "lenient", "flexible", "orz_compat")
MAX_CPU_S = 2.0
MAX_MEMORY_BYTES = 500_000_000
ANSWERS = r"""
    7  -3/4  0.25  1,234  \frac{\sqrt{5}-1}{2}  2\pi  x^2-1  (1,2)  \{1,2\}  [0,1)  x>3  y=2x+1  f(x)=x^2
    x\in(-\infty,2]\cup[3,\infty)  \pm3  x=1,y=2  3\text{cm}  25\%  B  \text{Monday}  1011_2  2:3  9:30am
    \begin{pmatrix}1&2\\3&4\end{pmatrix}  1+2i  \log_28  \binom{5}{2}  5!  0.\overline{3}  n\equiv1\pmod{4}
    \infty  \emptyset  2^{10}  \begin{cases}1&x>0\\0&x\le0\end{cases}  \lfloor{x}\rfloor  \sin^2x  |x-1|
    x^2+y^2=1  星期三  \sum_{k=1}^nk  \int_0^1x\,dx  1.5e3  \vec{v}=\langle1,2\rangle  e^{i\pi}  30^\circ
    """
"""Answers of every type."""
SIGNS = r"""
    \frac \sqrt \text{ \boxed{ { } ( ) [ ] | ^ _ ! % , ; : = < > + - * / & \\ \left \right \cup \in \pm $ °
    × √ \infty \ne \circ \overline{ \begin{matrix} \end{matrix} \pmod \mid </answer> <answer> <think> </think>
    \le or and sin e9 99999 0. ½ ² ，（ 。 是 None nan inf __import__
    """
SEEDS = tuple(ANSWERS.split())
PIECES = (
    *SIGNS.split(),
    "\x00", "\u202e", "\ud800", " ", "\n", "9" * 40, "^" * 9, "((((((((((", "x" * 30,
)  # fmt: skip


def mutate(text: str, chance: random.Random) -> str:
    """Change a text in one to four places: cut, double, repeat, insert, wrap or nest."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.randint(0, 8))
        piece = chance.choice(PIECES)
        kind = chance.randrange(8)
        if kind == 0:
            text = text[:start] + text[end:]
        elif kind == 1:
            text = text[:end] + text[start:end] + text[end:]
        elif kind == 2:
            text = text[:start] + text[start:end] * chance.choice((2, 9, 200)) + text[end:]
        elif kind == 3:
            text = text[:start] + piece * chance.choice((1, 1, 1, 50, 800)) + text[start:]
        elif kind == 4:
            text = chance.choice(
                ("({})", "{{{}}}", r"\sqrt{{{}}}", "-{}", "{}!", "{}^2", r"\text{{{}}}")
            ).format(text)
        elif kind == 5:
            text = r"\frac{" * 20 + text + "}{2}" * 20
        elif kind == 6:
            text = f"{text}{chance.choice((',', '+', '=', '^', ' or '))}{chance.choice(SEEDS)}"
        else:
            text = text[:start] + chr(chance.randrange(0x20, 0x3000)) + text[start:]
    return text[:30_000]


def respond(answer: str, chance: random.Random) -> str:
    """Put an answer into a response of some form."""
    forms = (
        rf"so</think><answer>\boxed{{{answer}}}</answer>",
        rf"So \boxed{{{answer}}}.",
        f"The answer is {answer}.",
        f"<think>hm</think><answer>{answer}</answer>",
        answer,
    )
    return chance.choice(forms)


def is_one_sided(left: str, right: str) -> bool:
    """True where the policy treats reference and answer differently."""
    both = left + right
    return any(sign in both for sign in ("%", "percent", "％", "百分", "=")) or any(
        letter in both for letter in "ABCDEFGHIJ"
    )


def play(seed: int, seeds: list[str]) -> list[str]:
    """Play one round; returns the findings."""
    chance = random.Random(seed)
    gold = chance.choice(seeds)
    gold = mutate(gold, chance) if chance.random() < 0.5 else gold
    answer = mutate(gold if chance.random() < 0.7 else chance.choice(seeds), chance)
    response = respond(answer, chance)
    findings: list[str] = []
    pair = f"{gold[:80]!r} | {answer[:80]!r}"
    for mode in MODES:
        started = cpu_time()
        verify(gold, response, mode)
        if (spent := cpu_time() - started) > MAX_CPU_S:
            findings.append(f"slow: {spent:.1f} s CPU in mode {mode}: {pair}")
    score(gold, response, "stop")
    is_gradable(gold)
    one_way, other_way = compare_answers(gold, answer)[0], compare_answers(answer, gold)[0]
    accepted = (one_way is Reason.CORRECT, other_way is Reason.CORRECT)
    if accepted[0] != accepted[1] and not is_one_sided(gold, answer):
        findings.append(f"one-sided: {one_way.value} and {other_way.value}: {pair}")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=0, help="play at least this many rounds")
    parser.add_argument("--seed", type=int, default=0, help="number of the first round")
    parser.add_argument("--data", type=Path, help="folder of *.jsonl.gz files with more seeds")
    arguments = parser.parse_args()
    seeds = list(SEEDS)
    if arguments.data:
        for path in sorted(arguments.data.glob("*.jsonl.gz")):
            seeds.extend(itertools.islice((gold for gold in read_golds(path) if len(gold) < 200), 200))
    console = Console()
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + 60 * arguments.minutes
    number = arguments.seed
    while time.monotonic() < deadline or number < arguments.seed + arguments.rounds:
        try:
            findings = play(number, seeds)
        except Exception as problem:  # noqa: BLE001  any exception is a finding
            findings = [f"raised {problem!r}"]
        for finding in findings:
            counts[finding.split(":")[0].split(" ")[0]] += 1
            console.print(f"--seed {number}: {finding}", markup=False, highlight=False)
        number += 1
    memory = peak_memory_bytes()
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    console.print(
        f"{number - arguments.seed:,} rounds in {cpu.ru_utime + cpu.ru_stime:.0f} CPU-s; findings: "
        f"{dict(counts) or 'none'}; peak memory with workers {memory / 1e6:.0f} MB"
    )
    sys.exit(bool(counts) or memory > MAX_MEMORY_BYTES)


if __name__ == "__main__":
    main()
