"""Checkpoints that older versions wrote give the figures they gave then, with either backend: see tests/checkpoints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pytorch_lightning import Trainer

from lightning_modules.cli.cli import main
from lightning_modules.cli.command_line import shipped_names
from lightning_modules.tasks.trained_run import TrainedRun
from tests.lightning_modules.small_images import write_mnist

KEPT = Path(__file__).parents[1] / "checkpoints"
FIGURES: dict[str, dict[str, float]] = {
    name: written["metrics"] for name, written in json.loads((KEPT / "figures.json").read_text()).items()
}
SINGLE = 1e-5  # of metrics in single precision, over 784 timesteps at most
TEXT = "the state of a chain of spins is a product of small tensors and a bond joins each to the next"
# The other backend gives other figures, or the cell has none.
ALONE = {"mps", "lstm"}


@pytest.fixture
def source(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the data that the checkpoint's configuration names by a relative path, if it does."""
    monkeypatch.chdir(tmp_path)
    if name.startswith("mnist"):
        write_mnist(tmp_path / "mnist")
    if name == "language_modelling":
        write_text(tmp_path / "text")


def write_text(folder: Path) -> None:
    """Write sixteen lines of eight words for each split."""
    folder.mkdir()
    words = TEXT.split()
    for split, start in (("train", 0), ("validation", 5), ("test", 9)):
        lines = [" ".join(words[(start + 3 * line + 5 * word) % 21] for word in range(8)) for line in range(16)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))


def test_there_is_one_of_every_shipped_configuration() -> None:
    assert set(shipped_names()) <= FIGURES.keys()
    assert {path.stem for path in KEPT.glob("*.ckpt")} == FIGURES.keys()


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("name", FIGURES)
def test_the_command_gives_the_same_figures(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--checkpoint", str(KEPT / f"{name}.ckpt")]) == 0
    printed = dict(re.findall(r"(test_\w+) (\S+)", capsys.readouterr().out))
    # Printed with four digits.
    assert {metric: float(value) for metric, value in printed.items()} == pytest.approx(FIGURES[name], rel=6e-4)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("name", sorted(FIGURES.keys() - ALONE))
def test_the_other_backend_gives_the_same_figures(name: str) -> None:
    assert figures(name, "statevector" if name == "digits_32" else "mps") == pytest.approx(exact(name), rel=SINGLE)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("name", sorted(ALONE))
def test_figures_in_single_precision(name: str) -> None:
    assert figures(name) == pytest.approx(exact(name), rel=SINGLE)


def figures(name: str, backend: str | None = None) -> dict[str, float]:
    """Return the test's metrics of a checkpoint, but for the truncation, of which the statevector knows nothing."""
    run = TrainedRun.of(KEPT / f"{name}.ckpt")
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        limit_test_batches=run.config["trainer"]["limit_test_batches"],
    )
    model = run.model() if backend is None else run.model(backend=backend)
    [metrics] = trainer.test(model, datamodule=run.data(), verbose=False)
    return {metric: value for metric, value in metrics.items() if "truncation" not in metric}


def exact(name: str) -> dict[str, float]:
    """Return the figures that the checkpoint gave, but for the truncation."""
    return {metric: value for metric, value in FIGURES[name].items() if "truncation" not in metric}
