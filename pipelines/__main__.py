"""python -m pipelines: the same as the reasoner-zero command."""

import sys

from pipelines.cli.main import main

sys.exit(main())
