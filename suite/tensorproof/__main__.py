"""``python -m tensorproof``."""

import sys

from tensorproof.cli import main

sys.exit(main())
