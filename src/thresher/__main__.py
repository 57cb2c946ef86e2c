"""Run the command line with `python -m thresher`."""

import sys

from thresher.cli import main

sys.exit(main())
