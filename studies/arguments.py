"""Arguments of the studies' commands."""

from __future__ import annotations

import argparse
from typing import NoReturn

from backends.errors import InvalidInput


class Parser(argparse.ArgumentParser):
    """A parser that refuses with one sentence instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        """Raise InvalidInput."""
        raise InvalidInput(f"{self.prog}: {message}; see '{self.prog} --help'.")
