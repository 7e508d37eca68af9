"""A signal that asks this process to leave: SIGTERM, SIGINT (Ctrl-C) or SIGUSR1; all are answered in the same way.

What the answer is depends on what there is to keep:

    nothing          the process ends at once, with one line and no traceback, also while torch is being imported
    `unwinding()`    `Left` is raised, so that what is under way is tidied up: a study stops its workers and reports
    `postponing()`   it is noted: a training finishes its step, saves, and leaves; what it wrote can be resumed exactly

The exit code is 128 + the signal's number, as a shell has it. A second Ctrl-C ends the process at once. Imports nothing
heavy: `tnqrnn` listens before torch is loaded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Left(SystemExit):
    """The process leaves because a signal asked for it; `code` is 128 + the signal's number."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(128 + number)
        self.message = message

    def __str__(self) -> str:
        return self.message


@contextmanager
def listening() -> Iterator[None]:
    """Answer signals inside. Only in the main thread, as Python has it; elsewhere they are left to the program."""
    global _asked, _listens
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _listens = True
    listen_again()
    try:
        yield
    finally:
        _asked, _listens = None, False
        for number, handler in before.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # see `ignore_termination`
                signal.signal(number, handler)


def listen_again() -> None:
    """Take back the signals that another library, such as Lightning, listens for meanwhile."""
    if not _listens or threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a background job of a script
            signal.signal(number, _note)


def unwinding() -> AbstractContextManager[None]:
    """Let a signal that comes inside raise `Left`."""
    return _answering(_raise)


def postponing() -> AbstractContextManager[None]:
    """Let a signal that comes inside be noted only; who does so leaves when `asked` says so."""
    return _answering(lambda number: None)


def is_listening() -> bool:
    """Whether this process answers signals."""
    return _listens


def asked() -> int | None:
    """Return the signal that has come, None if none has."""
    return _asked


def advise(text: str) -> None:
    """Say in half a sentence, for the user whose command is interrupted, what is kept and how to go on."""
    global _advice
    _advice = text


def told(number: int) -> str:
    """Return in words that a signal ended the command."""
    return f"interrupted by {signal.Signals(number).name}; {_advice}."


def ignore_termination() -> None:
    """Ignore SIGTERM from now on, to the last moment of the process: it is about to end by itself."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _note(number: int, frame: FrameType | None) -> None:
    global _asked
    if _asked is None:
        _asked = number
        _answer(number)
    elif number == signal.SIGINT:
        os._exit(128 + number)


def _end(number: int) -> NoReturn:
    # Not an exception: in the middle of an import it may be lost, or shown as a traceback of somebody else's code.
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os.write(2, f"{told(number)}\n".encode())
    os._exit(128 + number)


def _raise(number: int) -> NoReturn:
    raise Left(number, told(number))


@contextmanager
def _answering(answer: Callable[[int], None]) -> Iterator[None]:
    global _answer
    before, _answer = _answer, answer
    try:
        yield
    finally:
        _answer = before


_asked: int | None = None
_listens = False
_advice = "nothing was lost, and the same command begins anew"
_answer: Callable[[int], None] = _end
