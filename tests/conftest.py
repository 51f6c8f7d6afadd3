"""What all tests share: the modules that collecting them loads are never garbage."""

import gc


def pytest_collection_finish() -> None:
    """A full collection would look at some million objects of torch, transformers, and Prefect each time."""
    gc.collect()
    gc.freeze()
