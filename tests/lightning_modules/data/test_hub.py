"""Data sets read from local folders in every format of the hub, and one sentence for everything that is not there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.errors import InvalidInput
from lightning_modules.data import hub
from lightning_modules.data.hub import KNOWN, content_sha256, loaded_revision

datasets = pytest.importorskip("datasets")

ROWS = {"text": ["one", 'two, "three"', "four"], "label": [0, 1, 1]}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may reach the network, whatever the machine."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    def run(source: str | Path, split: str = "train", columns: tuple[str, ...] = ("text", "label"), **kw: Any) -> Any:
        where = {"cache_dir": str(tmp_path / "cache"), "offline_default": "data.source grammar"}
        return hub.load(str(source), **where, **kw).split(split, columns)

    return run


def write(folder: Path, name: str, rows: dict[str, list[Any]] = ROWS) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = datasets.Dataset.from_dict(rows)
    writers = {".parquet": dataset.to_parquet, ".jsonl": dataset.to_json, ".csv": dataset.to_csv}
    writers[path.suffix](str(path))


@pytest.mark.parametrize(
    "names",
    [
        ("train.jsonl", "val.jsonl"),
        ("data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet"),
        ("train/0000.csv", "dev/0000.csv"),
    ],
)
def test_a_folder_of_files(names: tuple[str, str], load: Callable[..., Any], tmp_path: Path) -> None:
    for name in names:
        write(tmp_path / "set", name)
    assert load(tmp_path / "set")[:] == ROWS
    assert load(tmp_path / "set", "validation", ("label",))[:] == {"label": ROWS["label"]}


def test_a_configuration_is_a_folder_inside(load: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "set" / "small", "train.jsonl")
    write(tmp_path / "set" / "large", "train.jsonl", {"text": ["a"], "label": [1]})
    assert len(load(tmp_path / "set", config="small")) == 3
    assert len(load(tmp_path / "set", config="large")) == 1


@pytest.mark.parametrize("together", [True, False])
def test_what_save_to_disk_wrote(together: bool, load: Callable[..., Any], tmp_path: Path) -> None:
    dataset = datasets.Dataset.from_dict(ROWS)
    if together:
        datasets.DatasetDict(train=dataset, validation=dataset).save_to_disk(str(tmp_path / "set"))
    else:
        dataset.save_to_disk(str(tmp_path / "set" / "train"))
        dataset.save_to_disk(str(tmp_path / "set" / "val"))
    assert load(tmp_path / "set", "validation")[:] == ROWS
    assert hub.load(str(tmp_path / "set"), offline_default="").names == ["train", "validation"]


def test_what_is_missing_is_named(load: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path / "set", "train.jsonl")
    with pytest.raises(InvalidInput, match=r"no split 'test'; it has train\."):
        load(tmp_path / "set", "test")
    with pytest.raises(InvalidInput, match=r"no column 'sentence'; expected sentence, label, found text, label\."):
        load(tmp_path / "set", columns=("sentence", "label"))


@pytest.mark.parametrize("content", [None, "no json {"])
def test_a_folder_without_data_is_refused(content: str | None, load: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    if content is not None:
        (tmp_path / "set" / "train.jsonl").write_text(content)
    with pytest.raises(InvalidInput, match=r"the folder cannot be read .* named by split"):
        load(tmp_path / "set")


def test_an_empty_split_is_refused(load: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "set", "train.jsonl")
    empty = datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": [], "label": []}))
    monkeypatch.setattr(datasets, "load_dataset", lambda *args, **settings: empty)
    with pytest.raises(InvalidInput, match="split 'train' is empty"):
        load(tmp_path / "set")


def test_without_a_network_the_sentence_names_what_needs_none(load: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match=r"stanfordnlp/imdb at revision e6281661.*use data.source grammar") as info:
        load("imdb")
    assert "\n" not in str(info.value)


def test_a_name_that_is_neither_folder_nor_id(load: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match=r"no such folder.*Did you mean 'rotten_tomatoes'\?"):
        load("rotten_tomatos")


@pytest.fixture
def cached(tmp_path: Path) -> str:
    """Return the id of a data set that lies in the cache as a download of commit COMMIT would."""
    builder = datasets.load_dataset
    write(tmp_path / "set", "train.jsonl")
    builder(str(tmp_path / "set"), cache_dir=str(tmp_path / "made"))
    [made] = (tmp_path / "made").glob("*/*/*/*/dataset_info.json")
    place = tmp_path / "cache" / "owner___some_set" / "default" / "0.0.0" / COMMIT
    place.mkdir(parents=True)
    for file in made.parent.iterdir():
        name = file.name if file.suffix != ".arrow" else "some_set-train.arrow"
        text = file.read_bytes()
        if file.suffix == ".json":
            text = text.replace(b'"dataset_name": "set"', b'"dataset_name": "some_set"')
        (place / name).write_bytes(text)
    return "owner/some_set"


def test_offline_the_cache_is_used_and_its_commit_is_known(cached: str, load: Callable[..., Any]) -> None:
    rows = load(cached, revision=COMMIT)
    assert rows[:] == ROWS
    assert loaded_revision(rows) == COMMIT


def test_offline_another_commit_is_refused(cached: str, load: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match=f"the cache holds revision {COMMIT[:12]}, asked for is 999999999999"):
        load(cached, revision="9" * 40)


def test_a_missing_extra_is_one_sentence(load: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InvalidInput, match=r"needs the package 'datasets'; install it with pip install 'tnqrnn\[hf\]'"):
        load("imdb")


def test_known_sets_are_pinned_where_a_commit_is_known() -> None:
    for name, source in KNOWN.items():
        assert "/" in source.id
        pinned = len(source.revision) == 40
        assert pinned or name in {"ptb", "iwslt14", "multi30k"}, name
        assert pinned or source.revision in {hub.PARQUET_BRANCH, "main"}


def test_the_digest_depends_on_every_value() -> None:
    rows = [["a", 1], ["b", 0]]
    digests = {content_sha256(rows), content_sha256(rows[::-1]), content_sha256([["a", 1], ["b", 1]])}
    assert len(digests) == 3
    assert content_sha256(iter(rows)) in digests
