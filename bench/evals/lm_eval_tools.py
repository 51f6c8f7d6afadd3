"""Read results with lm-evaluation-harness's own tools: run it with a Python that has lm-eval 0.4.13.

    python bench/evals/lm_eval_tools.py runs/demo/evaluate-final/lm-eval

Its finders look for the results and the samples, its table maker prints them, and each task is read as its
visualizers read it (scripts/zeno_visualize.py): ids, inputs, targets, outputs, the metrics of `metric_list`.
"""

import json
import sys
from pathlib import Path

from lm_eval.utils import (
    get_file_task_name,
    get_latest_filename,
    get_results_filenames,
    get_sample_results_filenames,
    make_table,
)


def main(folder: Path) -> None:
    files = [str(path) for path in sorted(folder.iterdir())]
    results = json.loads(Path(get_latest_filename(get_results_filenames(files))).read_text())
    print(make_table(results))  # noqa: T201
    for file in get_sample_results_filenames(files):
        task = get_file_task_name(Path(file).name)
        config = results["configs"][task]
        rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
        inputs = [row["arguments"]["gen_args_0"]["arg_0"] for row in rows]
        outputs = [str(row["filtered_resps"][0]) for row in rows]
        metrics = {each["metric"]: [row[each["metric"]] for row in rows] for each in config["metric_list"]}
        mean = sum(metrics["exact_match"]) / len(rows)
        assert len(inputs) == len(outputs) == results["n-samples"][task]["effective"], task
        assert abs(mean - results["results"][task]["exact_match,none"]) < 1e-9, task
        print(f"{task}: {len(rows)} rows of {config['output_type']}, exact_match {mean:.4f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
