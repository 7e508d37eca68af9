"""A picture that cannot be drawn never ends the work that it shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def or_said(what: Path | str) -> Iterator[None]:
    """Go on where drawing fails inside, and say in one sentence what could not be drawn and why.

    `what` is the picture's file, or a name for several. A file of that name is removed on failure: half a picture, or
    that of an older result, would be taken for this one's.
    """
    try:
        yield
    except Exception as error:  # whatever it is, numbers and weights are worth more than their picture
        if isinstance(what, Path) and what.is_file():
            what.unlink()
        why = " ".join(str(error).split()) or "no reason given"
        print(
            f"{what} could not be drawn ({type(error).__name__}: {why}); all else goes on without it.", file=sys.stderr
        )
