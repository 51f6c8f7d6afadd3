"""Is a base model trained exactly? Asked by doctor --model and by plan; torch is imported here."""

import os
from pathlib import Path

from pipelines.cli.output import say, show_rows
from training.config import TrainingConfig
from training.sections.model import ModelConfig

MARKS = {"ok": "[green]ok", "slower": "[yellow]slower", "refused": "[red]refused"}


def training_settings(config: Path | None, model: str) -> TrainingConfig:
    """The training section of the configuration in `config`, or the defaults, for another model."""
    origin = ModelConfig(path=model)
    if config is None:
        return TrainingConfig(model=origin)
    from pipelines.config import load_config

    return load_config(config).training.model_copy(update={"model": origin})


def examine_model(training: TrainingConfig, runs: Path) -> int:
    """Check the model folder of `training`, print every line; 1 when it is refused."""
    from transformers.utils import logging

    from training.base.base_model import resolve_path
    from training.selfcheck.check import check_model
    from training.selfcheck.report import STORE

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    folder = resolve_path(training.model)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder}: no config.json; give the folder of a Hugging Face model")
    os.environ.setdefault(STORE, str(runs.resolve() / ".cache" / "checks"))
    context = training.rollout.max_prompt_tokens + training.rollout.max_new_tokens
    report = check_model(folder, training, context)
    rows = [
        (MARKS[line.level], line.what, f"{line.found}; {line.setting}" if line.setting else line.found)
        for line in report.lines
    ]
    title = f"{training.model.path}, sequences of up to {context:,} tokens"
    show_rows(rows, "", "what", "found, and what to change", title=title)
    if report.refusals:
        say("this model is refused before training starts")
    return 1 if report.refusals else 0
