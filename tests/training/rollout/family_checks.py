"""Eight families of base models as tiny random ones: every path is exact, or refused by name.

Run by test_vllm.py in a separate process; by hand: python -m pytest tests/training/rollout/family_checks.py.
bench/models.py does the same for all families.
"""

import pytest

from bench.models import measure
from bench.parts.families import CI

WITH_VLLM = ("qwen2.5-padded", "mixtral", "falcon-h1", "olmo2")
"""Those that need something of ours in vLLM: spare rows, experts and names, recurrent layers, a class of
transformers."""


@pytest.mark.parametrize("family", CI)
def test_every_cell_is_exact_or_refused(family, tmp_path):
    vllm = ("vllm", "synced") if family in WITH_VLLM else ()
    cells = measure(family, ("packed", "padded", "torch", *vllm, "export"), tmp_path)
    assert {name: cell for name, cell in cells.items() if not cell.is_right} == {}
    assert cells["padded"].refusal is None and cells["export"].nats == 0
    assert all(cells[name].refusal is None for name in vllm)
    assert (cells["packed"].refusal is None) == (family not in ("falcon", "falcon-h1"))
    assert (cells["torch"].refusal is None) == (family in ("qwen2.5-padded", "mistral-window"))
