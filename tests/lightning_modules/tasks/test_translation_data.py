"""What is translated: the split by number, data sets in the hub's formats, tokens and texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from backends.errors import InvalidInput
from lightning_modules.data.text import tokenize
from lightning_modules.data.vocabulary import END, PADDING
from lightning_modules.tasks.translation.data import TranslationData
from lightning_modules.tasks.translation.language_pairs import WORDS, detokenize, number_pair
from lightning_modules.tasks.translation.number_words import english

SMALL = {"largest": 99, "val_size": 10, "test_size": 20, "batch_size": 4}
SENTENCES = [
    ("Ein Mann geht.", "A man walks."),
    ("Zwei Männer gehen schnell.", "Two men walk quickly."),
    ("Eine Frau geht nicht, sie läuft sehr schnell.", "A woman doesn't walk, she runs."),
    ("", "Nothing."),
]


def references(data: TranslationData) -> dict[str, set[str]]:
    return {split: set(data.references(split)) for split in ("train", "val", "test")}


def test_every_number_is_in_one_split() -> None:
    data = TranslationData(**SMALL)
    splits = references(data)
    assert {split: len(numbers) for split, numbers in splits.items()} == {"train": 70, "val": 10, "test": 20}
    assert splits["train"] | splits["val"] | splits["test"] == {" ".join(english(n)) for n in range(100)}


def test_the_split_does_not_depend_on_the_seed_or_on_how_much_is_trained_on() -> None:
    whole = references(TranslationData(**SMALL))
    assert references(TranslationData(**SMALL, seed=5)) == whole
    less = references(TranslationData(**SMALL, train_size=30))
    assert (less["val"], less["test"], len(less["train"])) == (whole["val"], whole["test"], 30)
    assert less["train"] < whole["train"]


def test_a_batch_is_the_words_of_its_numbers() -> None:
    data = TranslationData(**SMALL)
    sources, targets = data.dataset("test")[[0, 1, 2]]
    for source, target, reference in zip(sources, targets, data.references("test")[:3], strict=True):
        number = next(n for n in range(100) if " ".join(english(n)) == reference)
        pair = number_pair(number, "morphemes")
        assert data.source_vocabulary.decode(source.tolist()) == pair.source
        length = len(pair.target)
        assert target[length] == END
        assert (target[length + 1 :] == PADDING).all()
        assert (source[len(pair.source) :] == PADDING).all()
    assert data.text(targets) == data.references("test")[:3]
    assert data.data_kind == "synthetic"
    # ein und zwanzig / twenty one / the end
    assert data.sequence_length == 3 + 2 + 1


def test_baseline_is_a_dictionary_without_reordering() -> None:
    data = TranslationData(**SMALL)
    numbers = [_number(reference) for reference in data.references("test")]
    share = sum(number < 21 or number % 10 == 0 for number in numbers) / len(numbers)
    assert 0 < share < 1
    assert data.baselines()["word_by_word_exact_match"] == pytest.approx(share)
    assert TranslationData(**SMALL, source_tokens="characters").baselines() == {}


def test_german_by_characters() -> None:
    data = TranslationData(**SMALL, source_tokens="characters")
    sources, _ = data.dataset("train")[[0]]
    assert "".join(data.source_vocabulary.decode(sources[0].tolist())) == "".join(
        number_pair(_number(data.references("train")[0]), "morphemes").source
    )
    assert data.input_size == 4 + len(set("".join("".join(number_pair(n, "morphemes").source) for n in range(100))))


def _number(reference: str) -> int:
    return next(n for n in range(100) if " ".join(english(n)) == reference)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder whose path names no split, as that of `tmp_path` does: "test_..."."""
    return tmp_path_factory.mktemp("pairs")


def multi30k(folder: Path) -> Path:
    """Write train, val and test as the hub has Multi30k."""
    for split, rows in (("train", SENTENCES), ("val", SENTENCES[:2]), ("test", SENTENCES[1:])):
        lines = [json.dumps({"en": en, "de": de}) for de, en in rows]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def iwslt14(folder: Path) -> Path:
    """Write train, validation and test as the hub's branch of parquet files has IWSLT14."""
    for split, rows in (("train", SENTENCES), ("validation", SENTENCES[:2]), ("test", SENTENCES[1:])):
        path = folder / "de-en" / split / "0000.parquet"
        path.parent.mkdir(parents=True)
        Dataset.from_list([{"translation": {"de": de, "en": en}} for de, en in rows]).to_parquet(path)
    return folder / "de-en"


@pytest.mark.parametrize("write", [multi30k, iwslt14])
def test_data_sets_in_the_formats_of_the_hub(write: Any, folder: Path) -> None:
    folder = write(folder)
    data = TranslationData(str(folder), max_length=5, min_count=1, cache_dir=str(folder.parent / "cache"))
    assert data.data_kind == "real"
    # Of train, one pair is too long and one has no source; the test keeps the long one.
    assert len(data.dataset("train")) == 2
    assert data.references("test") == [en for _, en in SENTENCES[1:3]]
    facts = data.facts()
    assert (facts["train pairs dropped"], facts["val pairs dropped"], facts["test pairs dropped"]) == (2, 0, 1)
    _, targets = data.dataset("train")[[0, 1]]
    assert data.text(targets) == ["a man walks.", "two men walk quickly."]
    assert "frau" not in data.source_vocabulary  # a word of the dropped pair, and of the test
    assert data.lower_case


def test_case_is_a_setting(folder: Path) -> None:
    settings: dict[str, Any] = {"min_count": 1, "cache_dir": str(folder.parent / "cache")}
    cased = TranslationData(str(multi30k(folder)), lower_case=False, **settings)
    assert "Mann" in cased.source_vocabulary
    assert "mann" not in cased.source_vocabulary
    assert not cased.lower_case


@pytest.mark.parametrize(
    "text",
    [
        "A man in a blue shirt is standing on a ladder, cleaning a window.",
        "Two men (one old) don't look; they walk!",
        'She said: "Go on" and left 20% of it.',
        "A two-year-old's toy costs $5.",
    ],
)
def test_a_tokenised_text_reads_as_before(text: str) -> None:
    tokens = tokenize(text, lower_case=False, words=WORDS)
    assert detokenize(tokens) == text
    assert tokenize(text, words=WORDS) == [token.lower() for token in tokens]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"largest": 0}, "largest"),
        ({"largest": 1_000_000}, "at most 999999"),
        ({"largest": 29}, "there are 30 numbers from 0 to 29, asked for are 0 to train, 10 to validate and 20"),
        ({"train_size": 71}, "asked for are 71 to train"),
        ({"train_size": 0}, "train_size"),
        ({"source_tokens": "morpheme"}, "Did you mean 'morphemes'"),
        ({"batch_size": 0}, "batch_size"),
        ({"source": "no/where/at/all"}, "there is no such folder"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        TranslationData(**{**SMALL, **settings}).setup()


def test_a_folder_without_pairs_is_refused(folder: Path) -> None:
    for split in ("train", "val", "test"):
        (folder / f"{split}.jsonl").write_text(json.dumps({"text": "a"}) + "\n")
    with pytest.raises(InvalidInput, match="has no column 'de'; expected de, en, found text"):
        TranslationData(str(folder), cache_dir=str(folder.parent / "cache")).setup()


def test_a_limit_that_leaves_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"raise data\.max_length"):
        TranslationData(str(multi30k(folder)), max_length=1, cache_dir=str(folder.parent / "cache")).setup()


def test_a_checkpoint_of_other_words_is_refused() -> None:
    data, other = TranslationData(**SMALL), TranslationData(**{**SMALL, "largest": 999})
    data.load_state_dict(TranslationData(**SMALL, seed=1).state_dict())
    with pytest.raises(InvalidInput, match="translation, source: the checkpoint was trained with"):
        data.load_state_dict(other.state_dict())


def test_order_is_that_of_seed_and_epoch() -> None:
    orders = [TranslationData(**SMALL, seed=seed).train_dataloader().batches.samples(2) for seed in (1, 1, 2)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert torch.equal(torch.from_numpy(orders[0]).sort().values, torch.arange(70))
