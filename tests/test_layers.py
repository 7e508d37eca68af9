"""Imports point downwards: backends < tnqrnn < lightning_modules < studies."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("backends", "tnqrnn", "lightning_modules", "studies")  # lowest first
# The command line and the facade reach upwards: that is what they are for.
EXCEPTIONS = frozenset({"tnqrnn/__init__.py", "tnqrnn/__main__.py"})
LIGHTNING = frozenset({"lightning", "lightning_fabric", "lightning_utilities", "pytorch_lightning", "torchmetrics"})
# The rooms of lightning_modules, lowest first: data know no run, a run no task, and all three no command line.
ROOMS = ("data", "runs", "tasks", "cli")


def imported_packages(source: str) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import in `source`, wherever it stands, `import_module("...")` included."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name.partition(".")[0]) for alias in names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield node.lineno, module.partition(".")[0]
            case ast.ImportFrom():
                raise ValueError(f"line {node.lineno}: relative import; name the package in full")
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module.partition(".")[0]


def forbidden_above(layer: str) -> frozenset[str]:
    """What modules of `layer` must not import: every higher layer, the tests, and Lightning for `backends`."""
    above = frozenset(LAYERS[LAYERS.index(layer) + 1 :]) | {"tests"}
    return above | LIGHTNING if layer == "backends" else above


def modules(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_downwards(layer: str) -> None:
    forbidden = forbidden_above(layer)
    upward = []
    for path in modules(layer):
        name = path.relative_to(ROOT).as_posix()
        allowed = frozenset(LAYERS) if name in EXCEPTIONS else frozenset()
        upward += [
            f"{name}:{line} imports {package}"
            for line, package in imported_packages(path.read_text(encoding="utf-8"))
            if package in forbidden - allowed
        ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_lightning_modules_import_downwards(room: str) -> None:
    above = [f"lightning_modules.{other}" for other in ROOMS[ROOMS.index(room) + 1 :]]
    upward = [
        f"{path.name}: {module}"
        for path in sorted((ROOT / "lightning_modules" / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (module := str(node.module)).startswith(tuple(above))
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_folder_with_python_is_a_package(layer: str) -> None:
    """A folder without `__init__.py` would be left out of the wheel."""
    folders = {path.parent for path in modules(layer)}
    assert ROOT / layer in folders
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    "line",
    [
        "import studies",
        "import numpy, studies.report",
        "from studies.report import table",
        "def f():\n    from studies import report",
        "if TYPE_CHECKING:\n    import studies.report as r",
        "importlib.import_module('studies.report')",
    ],
)
def test_an_upward_import_is_seen(line: str) -> None:
    assert "studies" in {package for _, package in imported_packages(line)}


def test_a_relative_import_is_refused() -> None:
    with pytest.raises(ValueError, match="relative import"):
        list(imported_packages("from .. import studies"))


def test_backends_may_not_import_lightning() -> None:
    assert {"pytorch_lightning", "lightning", "tnqrnn", "studies"} <= forbidden_above("backends")
    assert "pytorch_lightning" not in forbidden_above("tnqrnn")
