"""What the study is asked to run: tasks x cells x seeds, read from YAML and refused where it cannot be meant.

seeds: [0, 1, 2]
reference: qrnn                  the cell whose size the others are given, and with which they are compared
tolerance: 0.01                  largest relative deviation of a cell's parameter count that counts as equal
tasks:
  digits:
    config: digits               a shipped configuration, or the path of a YAML file
    settings: {trainer.max_epochs: 10}    settings of `tnqrnn fit`, for every cell
    cells: {lstm: {model.learning_rate: 0.005}}     further settings, for this task and that cell
    parameters: 3000             trained parameters of every cell; left out: as many as the reference has
    further: [loss_ratio]        metrics to show beside the one a user looks at first
    lines: {chance: 0.1}         reference lines: a value, or the name of something in result.json
cells:
  lstm:
    cell: lstm                   left out: the name itself
    match: true                  choose its width so that it is as large as the reference; false: as it is
    settings: {}                 settings of `tnqrnn fit`, for every task
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import yaml

from backends.errors import InvalidInput, require_choice, require_number, require_positive_int
from lightning_modules.cli.command_line import find_config, read_config
from studies.engine.entries import mapping_of, require_known, require_seeds
from tnqrnn.cells import CELLS

WHO = "study tasks"
Settings = Mapping[str, Any]  # by dotted name, as on the command line


@dataclass(frozen=True)
class TaskEntry:
    """One task: a configuration, the budget it is given here, and how its figure is to be read."""

    name: str
    config: str
    settings: Settings = field(default_factory=dict)
    cells: Mapping[str, Settings] = field(default_factory=dict)
    parameters: int | None = None
    further: Sequence[str] = ()
    lines: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class CellEntry:
    """One cell, and whether its width is chosen so that it has as many parameters as the reference."""

    name: str
    cell: str
    match: bool = True
    settings: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Everything that is to be run; `whole` is what the file has, selected or not."""

    tasks: Mapping[str, TaskEntry]
    cells: Mapping[str, CellEntry]
    seeds: Sequence[int]
    reference: str = "qrnn"
    tolerance: float = 0.01
    adjust: float = 0.3
    every_cell: Mapping[str, CellEntry] = field(default_factory=dict)  # also those that were not selected
    whole: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the grid in a YAML file.

        Raises:
            InvalidInput: An entry is unknown, missing, or not of the expected kind.
        """
        if not path.is_file():
            raise InvalidInput(f"{WHO}: there is no file {path}; leave out --conf for the shipped settings.")
        return cls.of(read_config(path), str(path))

    @classmethod
    def of(cls, content: Mapping[str, Any], where: str) -> Self:
        """Return the grid with this content, found `where`."""
        known = {f.name for f in fields(cls)} - {"every_cell", "whole"}
        require_known(WHO, where, content, known)
        tasks, cells = (mapping_of(f"{WHO}: {where}: {part}", content.get(part)) for part in ("tasks", "cells"))
        every_cell = {name: _cell(name, entry) for name, entry in cells.items()}
        grid = cls(
            {name: _task(name, entry) for name, entry in tasks.items()},
            every_cell,
            require_seeds(WHO, content.get("seeds")),
            content.get("reference", cls.reference),
            require_number(WHO, "tolerance", content.get("tolerance", cls.tolerance), 0, 1),
            require_number(WHO, "adjust", content.get("adjust", cls.adjust), 0, 1),
            every_cell,
            content,
        )
        grid._require_whole()
        grid._require_known_names()
        return grid

    def select(
        self, tasks: Sequence[str] | None, cells: Sequence[str] | None, seeds: Sequence[str | int] | None
    ) -> Self:
        """Return a part of the grid; None keeps all of a kind, the reference cell stays in any case.

        Raises:
            InvalidInput: A name is not in the grid, or nothing is left.
        """
        chosen = replace(
            self,
            tasks=_chosen(self.tasks, tasks, "task"),
            cells=_chosen(self.cells, None if cells is None else [self.reference, *cells], "cell"),
            seeds=self.seeds if seeds is None else require_seeds(WHO, seeds),
        )
        chosen._require_whole()
        return chosen

    def settings(self, task: TaskEntry, cell: CellEntry) -> dict[str, Any]:
        """Return the settings of one cell in one task; the more special win."""
        return {**task.settings, **cell.settings, **task.cells.get(cell.name, {}), "model.cell": cell.cell}

    def selected_as_yaml(self) -> str:
        """Return what is selected, with every default."""
        asked = asdict(self)
        del asked["every_cell"], asked["whole"]
        return as_yaml(asked)

    def _require_whole(self) -> None:
        for name, part in (("tasks", self.tasks), ("cells", self.cells), ("seeds", self.seeds)):
            if not part:
                raise InvalidInput(f"{WHO}: there are no {name}, so there is nothing to run; give at least one.")

    def _require_known_names(self) -> None:
        require_choice(WHO, "reference cell", self.reference, self.cells)
        for cell in self.cells.values():
            require_choice(WHO, "cell", cell.cell, CELLS)
        for task in self.tasks.values():
            find_config(task.config)
            for name in task.cells:
                require_choice(WHO, f"cell in tasks.{task.name}.cells", name, self.cells)


def as_yaml(content: Mapping[str, Any]) -> str:
    """Return a file with this content."""
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)


def _task(name: str, entry: object) -> TaskEntry:
    where = f"tasks.{name}"
    content = _entry(entry, TaskEntry, where, ("settings", "cells", "lines"))
    for cell, settings in content["cells"].items():
        content["cells"][cell] = mapping_of(f"{WHO}: {where}.cells: {cell}", settings)
    if content.get("parameters") is not None:
        require_positive_int(WHO, f"{where}.parameters", content["parameters"])
    further = content.get("further", [])
    if not isinstance(further, list) or not all(isinstance(name, str) for name in further):
        raise InvalidInput(f"{WHO}: {where}.further must be a list of metrics such as [loss_ratio], got {further!r}.")
    return TaskEntry(**{"config": name, **content, "name": name})


def _cell(name: str, entry: object) -> CellEntry:
    return CellEntry(**{"cell": name, **_entry(entry, CellEntry, f"cells.{name}", ("settings",)), "name": name})


def _entry(entry: object, kind: type, where: str, parts: Sequence[str]) -> dict[str, Any]:
    """Return the values of an entry; `parts` of it hold values by name themselves."""
    content = mapping_of(f"{WHO}: {where}", entry)
    require_known(WHO, where, content, {f.name for f in fields(kind)} - {"name"})
    return {**content, **{part: mapping_of(f"{WHO}: {where}: {part}", content.get(part)) for part in parts}}


def _chosen(part: Mapping[str, Any], names: Sequence[str] | None, what: str) -> dict[str, Any]:
    """Return the entries with these names, in the order of the grid."""
    for name in names or ():
        require_choice(WHO, what, name, part)
    return {name: entry for name, entry in part.items() if names is None or name in names}
