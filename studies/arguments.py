"""Arguments of the studies' commands."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from backends.errors import InvalidInput, nearest


class Parser(argparse.ArgumentParser):
    """A parser that refuses with one sentence instead of a usage text."""

    def error(self, message: str) -> NoReturn:
        """Raise InvalidInput."""
        raise InvalidInput(f"{self.prog}: {message}; see '{self.prog} --help'.")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments, all of which must be known."""
        given, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise InvalidInput(
                f"{self.prog}: there is no option {unknown[0]!r}.{nearest(unknown[0], self._option_string_actions)} "
                f"See '{self.prog} --help'."
            )
        return given
