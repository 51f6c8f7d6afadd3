"""Matching keys of problems: their tokens in one notation, whatever Unicode or LaTeX variant they used.

The key is for comparison only; the text for training is left alone.
"""

import numpy as np
import polars as pl


def utf8(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Flatten texts to their bytes, uint8, and where each begins, int64 [n + 1]; null counts as empty."""
    import pyarrow

    column = texts.fill_null("").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    column = column.cast(pyarrow.large_string())
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), starts


def rewrite_texts(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Rewrite each text as tokens: where each row begins, int64 [n + 1], and the bytes of all rows, uint8."""
    from curation.text.canonical import rewrite

    data, starts = utf8(texts)
    return rewrite(data, starts[:-1], starts[1:])


def tokens_joined(texts: pl.Series) -> pl.Series:
    r"""Write each text as its tokens, separated by spaces.

    >>> texts = pl.Series([r"Find $\dfrac{1}{2} \times 1{,}000$.", "Compute 1/2 · 1000"])
    >>> tokens_joined(texts).to_list()
    ['find 1 / 2 * 1000', 'find 1 / 2 * 1000']
    """
    import pyarrow

    starts, tokens = rewrite_texts(texts)
    buffers = [None, pyarrow.py_buffer(starts), pyarrow.py_buffer(tokens)]
    joined = pyarrow.Array.from_buffers(pyarrow.large_string(), len(texts), buffers)
    return pl.Series(texts.name, joined, dtype=pl.String).str.strip_chars_end()
