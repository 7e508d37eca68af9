"""Turning the parser's complaints into one sentence that names the setting and the nearest valid one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from backends.errors import nearest

UNKNOWN = (
    r"unrecognized arguments: (?P<key>\S+)",
    r"does not accept (?:option|nested key) '(?P<key>[^']+)'",
    r"[Kk]ey '(?P<key>[^']+)' is not expected",
)
COMMAND = r"invalid choice: '(?P<key>[^']*)'"
PLAIN_TYPES = {"int": "an integer", "float": "a number", "str": "text", "bool": "true or false", "NoneType": "null"}
VALUE = r'key "(?P<key>[^"]+)":(?P<why>.*)'


def explain(message: str, keys: Collection[str], commands: Collection[str]) -> str:
    """Return one sentence for a message of the parser, given all dotted setting names and all commands."""
    message = " ".join(message.split())
    for pattern in UNKNOWN:
        if found := re.search(pattern, message):
            return unknown_setting(found["key"], keys)
    if found := re.search(COMMAND, message):
        return f"unknown command {found['key']!r}.{nearest(found['key'], commands)} Use {', '.join(commands)}."
    if found := re.search(VALUE, message):
        return f"{found['key']}: {_expected(found['why'])}"
    return message


def unknown_setting(key: str, keys: Iterable[str]) -> str:
    """Return the sentence for a setting that does not exist."""
    if not key.startswith("-") and ("." not in key or "/" in key):
        suggestion = nearest(key, keys)
        return f"unknown argument {key!r}.{suggestion or ' Settings are given as --name value.'}"
    name = key.lstrip("-").split("=")[0]
    dashes = "--" if key.startswith("-") else ""
    return f"unknown setting '{dashes}{name}'.{_nearest_key(name, keys) or ' Use --help to list all settings.'}"


def _nearest_key(name: str, keys: Iterable[str]) -> str:
    """Return the suggestion for a dotted name; a missing or wrong prefix must not hide the right last part."""
    keys = list(keys)
    by_last_part = {key.rsplit(".", 1)[-1]: key for key in keys}
    last = name.rsplit(".", 1)[-1]
    if last in by_last_part:
        return f" Did you mean '{by_last_part[last]}'?"
    return nearest(name, keys)


def _expected(why: str) -> str:
    """Return what was expected and what came, out of the parser's account of a value."""
    why = re.sub(r"Given value type: \S+ \S+", "", why).strip()
    given = re.search(r"(?:Got value|Given value): (.*)$", why)
    if not given:
        return why
    value = repr(given[1].strip())
    names = list(dict.fromkeys(re.findall(r"<class '([^']+)'>", why)))
    if not names or not set(names) <= PLAIN_TYPES.keys() or "Literal" in why:
        return f"cannot use {value}; --help says what it takes."
    return f"expected {' or '.join(PLAIN_TYPES[name] for name in names)}, got {value}."
