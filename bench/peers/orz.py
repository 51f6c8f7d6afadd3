"""Run Open-Reasoner-Zero's own comparer on (gold, response) pairs; started by bench/orz_compat.py.

    PYTHON bench/peers/orz.py path/to/math_utils.py < pairs.jsonl > verdicts.jsonl

PYTHON belongs to an environment with sympy and antlr4-python3-runtime 4.11. The original gives each
comparison one second in a process pool; here an alarm ends it, with the same verdict. `null`: extraction took
ten seconds.
"""

import importlib.util
import json
import re
import signal
import sys

PATTERN = re.compile(r"<answer>.*?(\\boxed{.*}).*?</answer>", re.DOTALL)


class OutOfTime(BaseException):
    """Not an Exception, because the original catches those."""


def on_alarm(*_: object) -> None:
    raise OutOfTime


def judge(code: object, gold: str, response: str) -> bool | None:
    signal.setitimer(signal.ITIMER_REAL, 10)
    try:
        matches = PATTERN.findall(response)
    except OutOfTime:
        return None
    left, right = code.solution2answer(gold), code.solution2answer(matches[-1] if matches else "")
    if code.is_equiv(left, right):
        return True
    if any(len(text) > 128 and code.repeatness(text) for text in (left, right)):
        return False
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        return bool(code._is_latex_equal(left, right))
    except OutOfTime:
        return False


def main() -> None:
    specification = importlib.util.spec_from_file_location("orz_math_utils", sys.argv[1])
    assert specification is not None and specification.loader is not None
    verdicts, sys.stdout = sys.stdout, sys.stderr  # The original prints.
    code = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(code)
    signal.signal(signal.SIGALRM, on_alarm)
    for line in sys.stdin:
        gold, response = json.loads(line)
        try:
            accepted = judge(code, gold, response)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        verdicts.write(json.dumps(accepted) + "\n")


if __name__ == "__main__":
    main()
