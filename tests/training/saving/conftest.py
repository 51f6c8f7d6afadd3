"""The base model of the tests of this folder."""

import pytest

from tests.training.saving.models import SHAPE, TOKENIZER
from training.model import build_scratch


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    build_scratch(SHAPE, len(TOKENIZER), 0, 1, seed=0).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return folder
