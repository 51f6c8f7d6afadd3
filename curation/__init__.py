"""Curation: turns raw corpora and generators into a clean, deduplicated, decontaminated problem set.

`curation.curate.curate(config, ...)` is the whole stage; `python -m curation.dedup` and
`python -m curation.decontaminate` are stand-alone commands.
"""

import sys
from importlib.util import find_spec

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m` searches the working folder first, and would import a user's own rewards.py or evals/ there.
    sys.path[0] = __path__[0].rpartition("/")[0]
    if find_spec("polars") is None:
        sys.exit("curation is an extra of this package: pip install 'reasoner-zero[curation]'")
