"""Several fits one after the other, each by all the processes that were started: `several_fits.py JSON`.

Starting a process takes longer than these fits.
"""

from __future__ import annotations

import json
import sys

from lightning_modules.cli.cli import main

if __name__ == "__main__":
    codes = [main(["fit", *arguments]) for arguments in json.loads(sys.argv[1])]
    sys.exit(f"exit codes {codes}" if any(codes) else 0)
