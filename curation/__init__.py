"""Curation: raw corpora and generators in, a clean, deduplicated, decontaminated problem set out.

`curation.curate.curate(config, ...)` is the whole stage; `python -m curation.dedup` and
`python -m curation.decontaminate` stand alone.
"""

import sys
from importlib.util import find_spec

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m` looks in the working folder first, where a user's own rewards.py or evals/ would be found.
    sys.path[0] = __path__[0].rpartition("/")[0]
    if find_spec("polars") is None:
        sys.exit("curation is an extra of this package: pip install 'reasoner-zero[curation]'")
