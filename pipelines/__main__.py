"""python -m pipelines: the same as the reasoner-zero command."""

import sys

from pipelines.cli import main

sys.exit(main())
