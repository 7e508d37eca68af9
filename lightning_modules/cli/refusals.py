"""Turning complaints of the parser and of Lightning into one sentence that names the setting and the nearest one."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pytorch_lightning import callbacks

from backends.errors import InvalidInput, nearest

UNKNOWN = (
    r"unrecognized arguments: (?P<key>\S+)",
    r"(?:Group '(?P<group>[^']+)' )?does not accept option '(?P<key>[^']+)'",
    r"^Option '(?P<key>[^']+)' is not accepted",
    r'Linked "(?P<key>[^"]+)" must be given via',
)
PLAIN_TYPES = {"int": "an integer", "float": "a number", "str": "text", "bool": "true or false", "NoneType": "null"}
RESTRICTED = {
    "NonNegativeInt": "an integer of at least 0",
    "PositiveInt": "an integer of at least 1",
    "Seed": "an integer from 0 to 4294967295",
}
VALUE = r'key "(?P<key>[^"]+)":(?P<why>.*)'
LITERAL = r"typing\.Literal\[(.*?)\]"
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("backends", "tnqrnn", "lightning_modules", "studies")


def explain(message: str, keys: Collection[str], withheld: Mapping[str, str] | None = None) -> str:
    """Return one sentence for a message of the parser, given all dotted setting names.

    `withheld`: settings that exist but are not the user's, with the reason or what to use instead.
    """
    message = " ".join(message.split())
    for pattern in UNKNOWN:
        if found := re.search(pattern, message):
            group = found.groupdict().get("group")
            return unknown_setting(f"{group}.{found['key']}" if group else found["key"], keys, withheld)
    if found := re.search(VALUE, message):
        return f"{found['key']}: {_expected(found['key'], found['why'])}"
    return message


def unknown_setting(key: str, keys: Iterable[str], withheld: Mapping[str, str] | None = None) -> str:
    """Return the sentence for a setting that does not exist, or is not the user's."""
    name = key.lstrip("-").split("=")[0]
    dashes = "--" if key.startswith("-") else ""
    for setting, reason in (withheld or {}).items():
        if name == setting or name.startswith(f"{setting}."):
            return f"'{dashes}{name}' cannot be set: {reason}."
    if not dashes and ("." not in key or "/" in key):
        suggestion = nearest(key, keys)
        return f"unknown argument {key!r}.{suggestion or ' Settings are given as --name value.'}"
    return f"unknown setting '{dashes}{name}'.{_nearest_key(name, keys) or ' Use --help to list all settings.'}"


@contextmanager
def in_one_sentence(who: str, only_if: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Refuse, in the words of its error, what a library finds wrong with the settings it was built from.

    What is raised by a line of ours passes: our refusals, which are sentences already, and our faults, which need their
    traceback. So does what is raised when `only_if` has become false: work has started.
    """
    try:
        yield
    except Exception as error:
        if _is_ours(error) or not only_if():
            raise
        cause: BaseException = error
        while cause.__cause__ is not None:  # the parser wraps what a class says of its arguments
            cause = cause.__cause__
        raise InvalidInput(f"{who}: {' '.join(str(cause).split()) or type(cause).__name__}") from error


def _is_ours(error: BaseException) -> bool:
    """Whether the line that raised the error is one of ours."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and any(
        Path(trace.tb_frame.f_code.co_filename).is_relative_to(_ROOT / package) for package in _PACKAGES
    )


def _nearest_key(name: str, keys: Iterable[str]) -> str:
    """Return the suggestion for a dotted name; a missing or wrong prefix must not hide the right last part."""
    keys = list(keys)
    by_last_part = {key.rsplit(".", 1)[-1]: key for key in keys}
    last = name.rsplit(".", 1)[-1]
    if last in by_last_part:
        return f" Did you mean '{by_last_part[last]}'?"
    return nearest(name, keys)


def _expected(key: str, why: str) -> str:
    """Return what was expected and what came, out of the parser's account of a value."""
    if found := re.search(r"Unable to load config '(.*?)'", why):
        return f"expected settings by name, such as --{key}.NAME VALUE, got {found[1]!r}."
    if found := re.search(r"Not of type (\w+): (.*)", why):
        return _restricted(found[1], found[2])
    if found := re.search(r"Problem with given class_path '(?:\w+\.)*(\w+)': (.*?)(?: - |$)", why):
        return f"{found[1]}: {found[2]}."
    if found := re.search(r"Expected a dot import path string: (\S+)", why):
        return f"there is no class {found[1]!r}.{nearest_class(found[1])}"
    why = re.sub(r"Given value type: \S+ \S+", "", why).strip()
    given = re.search(r"(?:Got value|Given value): ?(.*)$", why)
    if not given:
        return why
    value = repr(given[1].strip())
    names = list(dict.fromkeys(re.findall(r"<class '([^']+)'>", why)))
    literals = [str(choice) for inside in re.findall(LITERAL, why) for choice in literal_eval(f"[{inside}]")]
    if choices := list(dict.fromkeys(literals)):
        return f"cannot use {value}.{nearest(value, choices)} Choose one of: {', '.join(choices)}."
    if not names or not set(names) <= PLAIN_TYPES.keys() or "Literal" in why:
        return f"cannot use {value}; --help says what it takes."
    return f"expected {' or '.join(PLAIN_TYPES[name] for name in names)}, got {value}."


def nearest_class(name: str) -> str:
    """Return the suggestion for the name of a callback; the parser takes Lightning's without their module."""
    close = {known.lower(): known for known in callbacks.__all__}
    found = re.search(r"'(.+)'", nearest(name, close))
    return f" Did you mean '{close[found[1]]}'?" if found else " Callbacks are given as MODULE.CLASS."


def _restricted(kind: str, why: str) -> str:
    value = re.search(r"^(\S+) does not conform", why) or re.search(r"'([^']*)'$", why)
    got = {"NoneType": "null"}.get(value[1], value[1]) if value else "something else"
    return f"expected {RESTRICTED.get(kind, kind)}, got {got!r}."
