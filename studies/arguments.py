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


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Add what says where the work of a study is done."""
    parser.add_argument(
        "--executor", default="local", metavar="NAME", help="debug (in this process), local or slurm (%(default)s)"
    )
    parser.add_argument(
        "--slurm", nargs="+", default=[], metavar="OPTION=VALUE", help="options of sbatch, such as partition=long"
    )
