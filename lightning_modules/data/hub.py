"""Data sets of the Hugging Face hub, or local folders in the same formats, through the `datasets` library.

A known data set is pinned to a commit where we know one, so that a result names the data it was computed from. Two of
them are still scripts on their main branch, which `datasets` no longer runs; for those the hub keeps a branch of
parquet files. Loading never runs code of a data set.

A local folder is read as the hub would read it (files named by split: `train.jsonl`, `test-00000-of-00001.parquet`,
`validation/0000.csv`), or as `Dataset.save_to_disk` wrote it; it is preferred to a known name. `HF_HUB_OFFLINE`,
`HF_DATASETS_OFFLINE` and `HF_HOME` have their usual meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.errors import InvalidInput, nearest
from tnqrnn.extras import require_extra

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

PARQUET_BRANCH = "refs/convert/parquet"
# Our names of the splits, and the hub's.
SPLITS = {"train": "train", "val": "validation", "test": "test"}
# What the same split is called elsewhere.
ALIASES = {"validation": ("val", "valid", "dev")}
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubSource:
    """A data set on the hub: its id, the revision we use (a commit where one is known), its configuration if any.

    `text_column` is the column of the text, in a data set that has one.
    """

    id: str
    revision: str
    config: str | None = None
    text_column: str = field(default="text", kw_only=True)


# Columns: label is 0 or 1 unless said otherwise.
KNOWN = {
    # text, label; 8530/1066/1066 sentences
    "rotten_tomatoes": HubSource(
        "cornell-movie-review-data/rotten_tomatoes", "aa13bc287fa6fcab6daf52f0dfb9994269ffea28"
    ),
    # idx, sentence, label; 67349/872/1821 sentences, those of test with label -1
    "sst2": HubSource("stanfordnlp/sst2", "8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb", text_column="sentence"),
    # text, label; 25000 train, 25000 test, no validation
    "imdb": HubSource("stanfordnlp/imdb", "e6281661ce1c48d982bc483cf8a173c1bbeb5d31", "plain_text"),
    # text, one line of the article each
    "wikitext-2": HubSource("Salesforce/wikitext", "b08601e04326c79dfdd32d625aee71d232d685c3", "wikitext-2-raw-v1"),
    # sentence
    "ptb": HubSource("ptb-text-only/ptb_text_only", PARQUET_BRANCH, "penn_treebank", text_column="sentence"),
    # en, de; 29000/1014/1000 pairs
    "multi30k": HubSource("bentrevett/multi30k", "main"),
    # translation: {de, en}
    "iwslt14": HubSource("bbaaaa/iwslt14-de-en", PARQUET_BRANCH, "de-en"),
    # image, label 0..9; 60000 train, 10000 test, no validation
    "mnist": HubSource("ylecun/mnist", "77f3279092a1c1579b2250db8eafed0ad422088c", "mnist"),
}


@dataclass(frozen=True)
class HubData:
    """All splits of a data set, read at once; their rows stay on the disk until they are asked for."""

    source: str
    splits: DatasetDict

    @property
    def names(self) -> list[str]:
        """The names of the splits, validation always by that name."""
        usual = {other: name for name, others in ALIASES.items() for other in others}
        return [usual.get(str(name), str(name)) for name in self.splits]

    def split(self, split: str, columns: Sequence[str]) -> Dataset:
        """Return the `columns` of "train", "validation" (a folder may call it `val`, `valid` or `dev`) or "test".

        Raises:
            InvalidInput: The split or a column does not exist, or the split is empty.
        """
        who = f"data set {self.source!r}"
        name = next((name for name in (split, *ALIASES.get(split, ())) if name in self.splits), None)
        if name is None:
            raise InvalidInput(f"{who}: there is no split {split!r}; it has {', '.join(map(str, self.splits))}.")
        dataset = self.splits[name]
        missing = [column for column in columns if column not in dataset.column_names]
        if missing:
            raise InvalidInput(
                f"{who}: split {split!r} has no column {missing[0]!r}; expected {', '.join(columns)}, found "
                f"{', '.join(dataset.column_names)}."
            )
        if len(dataset) == 0:
            raise InvalidInput(f"{who}: split {split!r} is empty; give one with at least one row.")
        return dataset.select_columns(list(columns))


def load(
    source: str,
    *,
    config: str | None = None,
    revision: str | None = None,
    cache_dir: str | None = None,
    offline_default: str,
) -> HubData:
    """Return a data set of the hub, or of a local folder.

    Args:
        source: A name of `KNOWN`, an id on the hub (`owner/name`), or a local folder in one of the hub's formats.
        config: Configuration of the data set; by default the known one. Of a folder, a folder inside it, if there.
        revision: Commit, branch or tag on the hub; by default the known one, or `main`.
        cache_dir: Where downloads are kept; by default where `datasets` keeps them.
        offline_default: What to use instead when the data cannot be had, e.g. "data.source grammar".

    Raises:
        InvalidInput: The extra `hf` is not installed, the source does not exist, or the data cannot be reached.
    """
    who = f"data set {source!r}"
    datasets = _library(who)
    known = _known(source)
    if Path(source).is_dir():
        return HubData(source, _read_folder(datasets, who, Path(source), config or known.config, cache_dir))
    _require_id(who, source, known, offline_default)
    wanted = revision or known.revision
    try:
        found = datasets.load_dataset(known.id, config or known.config, revision=wanted, cache_dir=cache_dir)
    except Exception as error:  # no network, no such id, no such revision, a gated data set: no common class
        raise InvalidInput(
            f"{who}: {known.id} at revision {wanted} cannot be loaded from the hub or its cache ({_brief(error)}); "
            f"check id and network, give a local folder in the same format, or use {offline_default} without a network."
        ) from error
    _require_revision(who, found, wanted)
    return HubData(source, found)


def text_column(source: str) -> str:
    """Return the column of the text in a known data set; `text` in any other."""
    return _known(source).text_column


def content_sha256(rows: Iterable[Any]) -> str:
    """Return the sha256 of rows of plain values (text, numbers, lists, dictionaries), one line of JSON each."""
    digest = sha256()
    for row in rows:
        digest.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def loaded_revision(dataset: Dataset) -> str | None:
    """Return the commit that a data set of the hub came from, as its place in the cache tells; None if it does not."""
    for file in dataset.cache_files:
        for part in reversed(Path(file["filename"]).parts):
            if _COMMIT.fullmatch(part):
                return part
    return None


def _library(who: str) -> Any:
    require_extra("hf", f"{who}: reading it")
    import datasets

    return datasets


def _known(source: str) -> HubSource:
    """Return the known data set of this name or id, or one about which nothing but its id is known."""
    by_id = {known.id: known for known in KNOWN.values()}
    return KNOWN.get(source) or by_id.get(source) or HubSource(source, "main")


def _read_folder(datasets: Any, who: str, folder: Path, config: str | None, cache_dir: str | None) -> DatasetDict:
    if config and (folder / config).is_dir():
        folder = folder / config
    try:
        if (folder / "dataset_dict.json").exists():
            return datasets.load_from_disk(str(folder))
        saved = [path.parent for path in folder.glob("*/state.json")]
        if saved:
            return datasets.DatasetDict({path.name: datasets.load_from_disk(str(path)) for path in saved})
        return datasets.load_dataset(str(folder.resolve()), cache_dir=cache_dir)
    except Exception as error:  # whatever the readers of four file formats raise on a broken or foreign file
        raise InvalidInput(
            f"{who}: the folder cannot be read ({_brief(error)}); it should hold parquet, jsonl or csv files named by "
            "split, as train.jsonl, or what Dataset.save_to_disk wrote."
        ) from error


def _require_id(who: str, source: str, known: HubSource, offline_default: str) -> None:
    if not _ID.fullmatch(known.id):
        raise InvalidInput(
            f"{who}: there is no such folder, and an id on the hub reads owner/name.{nearest(source, KNOWN)} "
            f"Known data sets: {', '.join(KNOWN)}. Without a network use {offline_default}."
        )


def _require_revision(who: str, found: DatasetDict, wanted: str) -> None:
    """Refuse another commit than the one asked for: offline, `datasets` takes whatever the cache has."""
    for dataset in found.values():
        came = loaded_revision(dataset)
        if _COMMIT.fullmatch(wanted) and came is not None and came != wanted:
            raise InvalidInput(
                f"{who}: the cache holds revision {came[:12]}, asked for is {wanted[:12]}, and the hub cannot be "
                f"reached; connect once, or say data.revision {came}."
            )


def _brief(error: Exception) -> str:
    """Return the first sentence of an error, or its class where it has none."""
    text = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
