"""A data set is read once in a process, however many models, loaders and prices are made from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from lightning_modules.cli.cli import main
from lightning_modules.cli.run_command import prepare_run
from lightning_modules.tasks.images.digits import DigitsData
from lightning_modules.tasks.language_modelling.data import LanguageModellingData
from lightning_modules.tasks.sentiment.data import SentimentData
from lightning_modules.tasks.translation.data import TranslationData
from tests.lightning_modules.small_images import write_mnist

WORDS = ["a", "fine", "film", "about", "nothing", "much", "but", "long"]
TEXTS = [" ".join(WORDS[number % 4 :][: 2 + number % 3]) for number in range(40)]
ROWS: dict[str, list[dict[str, Any]]] = {
    "sentiment": [{"text": text, "label": number % 2} for number, text in enumerate(TEXTS)],
    "language_modelling": [{"text": text} for text in TEXTS],
    "translation": [{"translation": {"de": text, "en": text}} for text in TEXTS],
}
# fmt: off
SMALL = [
    "--model.n_qubits", "2", "--model.controller_width", "4", "--data.batch_size", "4", "--trainer.max_epochs", "1",
    "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1", "--trainer.limit_test_batches", "1",
]
# fmt: on
Reads = list[str]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Return a list that grows with every data set that is read."""
    seen: Reads = []
    real = datasets.load_dataset

    def load_dataset(path: str, *args: Any, **settings: Any) -> Any:
        seen.append(path)
        return real(path, *args, **settings)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return seen


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the data of a task."""

    def write(task: str) -> Path:
        if task == "mnist":
            return write_mnist(tmp_path / task)
        (tmp_path / task).mkdir()
        for split in ("train", "validation", "test"):
            lines = "".join(json.dumps(row) + "\n" for row in ROWS[task])
            (tmp_path / task / f"{split}.jsonl").write_text(lines)
        return tmp_path / task

    return write


@pytest.mark.parametrize("task", ["mnist", "sentiment", "language_modelling", "translation"])
def test_a_run_and_its_price_read_the_data_once(
    task: str, folder: Callable[[str], Path], reads: Reads, tmp_path: Path
) -> None:
    settings = ["--config", task, *SMALL, "--data.source", str(folder(task)), "--data.cache_dir", str(tmp_path / "c")]
    settings += ["--data.validation_size", "10"] if task == "mnist" else []
    settings += ["--data.min_count", "1"] if task == "translation" else []
    assert main(["fit", *settings, "--runs", str(tmp_path / "runs")]) == 0
    prepare_run([*settings, "--seed", "1"])
    assert len(reads) == 1


def test_a_folder_that_was_changed_is_read_again(folder: Callable[[str], Path], reads: Reads, tmp_path: Path) -> None:
    source = folder("language_modelling")

    def tokens() -> int:
        data = LanguageModellingData(str(source), cache_dir=str(tmp_path / "cache"), batch_size=2)
        return int(data.facts()["test tokens"])

    before = tokens()
    with (source / "test.jsonl").open("a") as file:
        file.write(json.dumps({"text": "two more"}) + "\n")
    assert tokens() == before + 3  # with the end mark
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (SentimentData(train_size=20, evaluation_size=10), {"output_size": 2}),
        (LanguageModellingData(segment_length=7), {"sequence_length": 7}),
        (TranslationData(largest=99, val_size=10, test_size=10), {}),
        (DigitsData(), {"input_size": 8, "output_size": 10, "sequence_length": 8}),
    ],
)
def test_a_data_module_reads_when_it_is_set_up_or_asked(data: Any, sizes: dict[str, int]) -> None:
    assert {name: data.__dict__.get(name, getattr(type(data), name, None)) for name in sizes} == sizes
    assert "sha256" not in data.__dict__  # made when the tests were collected, it has read nothing yet
    assert isinstance(data.sha256, str)
    dataset = data.dataset("train")
    data.prepare_data()
    data.setup("fit")
    assert len(data.dataset("train")) == len(dataset)
    with pytest.raises(AttributeError, match=f"{type(data).__name__} has no 'shape'"):
        _ = data.shape


def test_data_that_were_refused_are_refused_again(tmp_path: Path) -> None:
    data = LanguageModellingData(str(tmp_path))
    for _ in range(2):
        with pytest.raises(ValueError, match="the folder cannot be read"):
            data.setup()


def test_a_setup_of_ones_own_is_called_once_for_what_is_missing() -> None:
    class Mine(DigitsData):
        calls = 0

        def setup(self, stage: str | None = None) -> None:
            self.calls += 1
            self.read()

    data = Mine()
    assert len(data.splits["train"]) == 1293
    assert not hasattr(data, "nothing")
    assert data.calls == 1
