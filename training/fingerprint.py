"""Fingerprint of a model folder: a hash of its weights, config and tokenizer, whatever its name."""

from pathlib import Path

from rewards.contracts.files import canonical_json, hash_file, hash_text

FILES = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "chat_template*",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


def hash_model(folder: Path) -> str:
    """Hash the files in `folder` that decide what it generates; FileNotFoundError when it has no weights."""
    files = sorted({path for pattern in FILES for path in Path(folder).glob(pattern)})
    if not any(path.suffix == ".safetensors" for path in files):
        raise FileNotFoundError(f"{folder}: no *.safetensors file; expected a model in Hugging Face format")
    return hash_text(canonical_json({path.name: hash_file(path) for path in files}))


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights in `folder`."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
