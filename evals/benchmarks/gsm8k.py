"""GSM8K test: 1,319 grade-school word problems; the answer follows `####` at the end of the worked solution.

Janet's ducks lay 16 eggs per day. ...        "... She makes 9 * 2 = $<<9*2=18>>18 ... #### 18" -> 18
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "gsm8k",
    title="GSM8K",
    file="eval/gsm8k_test.jsonl.gz",
    hub=Hub("openai/gsm8k", "main"),
    public="2021-10",
    task_id="gsm8k",
    n_questions=1319,
)
def parse(row: Row) -> Question:
    solution = row.text("answer")
    _, mark, answer = solution.rpartition("####")
    if not mark or not answer.strip():
        raise row.error("field 'answer' must end in '#### number'")
    return Question(row.text("question"), answer.strip().replace(",", ""))
