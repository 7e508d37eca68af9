"""Sentiment: the grammar against a second reading of its rules, real data in the hub's formats, refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.data.text import BucketedBatches
from lightning_modules.data.vocabulary import PADDING
from lightning_modules.tasks.sentiment.data import SentimentData
from lightning_modules.tasks.sentiment.grammar import sentence_pairs
from lightning_modules.tasks.sentiment.task import SentimentClassifier
from tests.lightning_modules.small_runs import only_run

GOOD = {"good", "great", "clever", "funny", "charming", "moving", "fresh", "honest"}
BAD = {"bad", "awful", "dull", "boring", "clumsy", "stupid", "stale", "false"}
STRENGTHS = {"slightly": 1, "somewhat": 1, "fairly": 1, "very": 3, "really": 3, "extremely": 3}


def worth(clause: Sequence[str]) -> int:
    """A clause such as `music was not very good`, read from the rules in words."""
    strength = next((STRENGTHS[word] for word in clause if word in STRENGTHS), 2)
    [sign] = [1 if word in GOOD else -1 for word in clause if word in GOOD | BAD]
    return -sign * (4 - strength) if {"not", "never"} & set(clause) else sign * strength


def oracle(sentence: tuple[str, ...]) -> int:
    words = list(sentence)
    if words[0] == "although":
        comma = words.index(",")
        return int(worth(words[comma + 1 :]) > 0)
    [joint] = [place for place, word in enumerate(words) if word in {"and", "but", "although"}]
    first, second = worth(words[:joint]), worth(words[joint + 1 :])
    return int({"and": first + second, "but": second, "although": first}[words[joint]] > 0)


def test_labels_follow_from_the_rules_and_words_do_not_tell_them() -> None:
    pairs = list(islice(sentence_pairs(), 300))
    for (first, negative), (second, positive) in pairs:
        assert (negative, positive) == (0, 1) == (oracle(first), oracle(second))
        assert sorted(first) == sorted(second)
    assert len({tuple(sorted(first)) for (first, _), _ in pairs}) == len(pairs)
    assert {"and", "but", "although", ",", "not", "never", "very"} <= {w for (s, _), _ in pairs for w in s}


@pytest.fixture(scope="module")
def grammar() -> SentimentData:
    return SentimentData(train_size=200, evaluation_size=60, batch_size=16)


def test_no_sentence_is_in_two_splits(grammar: SentimentData) -> None:
    bags = {split: {tuple(sorted(ids)) for ids in texts} for split, (texts, _) in grammar._encoded.items()}
    assert not bags["train"] & bags["test"]
    assert not bags["train"] & bags["val"]
    assert not bags["val"] & bags["test"]
    larger = SentimentData(train_size=400, evaluation_size=60)
    assert [larger.vocabulary.decode(ids) for ids in larger._encoded["test"][0]] == [
        grammar.vocabulary.decode(ids) for ids in grammar._encoded["test"][0]
    ]


def test_counting_words_is_right_on_half_of_the_sentences(grammar: SentimentData) -> None:
    assert grammar.baselines()["test_accuracy_bag_of_words"] == 0.5
    assert 0 <= grammar.baselines()["test_accuracy_bag_of_pairs"] <= 1
    assert grammar.data_kind == "synthetic"


def test_padding_changes_no_answer(grammar: SentimentData) -> None:
    torch.manual_seed(0)
    model = SentimentClassifier(grammar.input_size, 2, n_qubits=2, controller_width=4, angle_scale=3.0)
    ids, _ = grammar.dataset("val")[[0, 1, 2, 3, 4, 5, 6, 7]]
    lengths = (ids != PADDING).sum(1)
    assert len(set(lengths.tolist())) > 1
    together = model(ids)
    for number, length in enumerate(lengths):
        torch.testing.assert_close(together[number : number + 1], model(ids[number : number + 1, :length]))


def test_batches_hold_sequences_of_similar_length_once_each() -> None:
    lengths = np.random.default_rng(0).integers(1, 30, 203)
    batches = BucketedBatches(lengths, 8, "shuffled", seed=1)
    served = list(batches)
    assert sorted(chain(*served)) == list(range(203))
    assert [len(batch) for batch in served] == [8] * 25 + [3]
    assert np.mean([np.ptp(lengths[batch]) for batch in served]) < 6  # of 29
    batches.set_epoch(1)
    assert list(batches) != served
    again = BucketedBatches(lengths, 8, "shuffled", seed=1)
    again.load_state_dict({"epoch": 0, "served": 20})
    assert list(again) == served[20:]
    assert (np.diff(lengths[list(chain(*BucketedBatches(lengths, 8)))]) >= 0).all()


# Local folders in the formats of the hub ------------------------------------------------------------------------------


def write(folder: Path, **splits: list[tuple[Any, Any]]) -> str:
    folder.mkdir(exist_ok=True)
    for split, rows in splits.items():
        lines = [json.dumps({"sentence": text, "label": label}) for text, label in rows]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return str(folder)


def reviews(source: str, tmp_path: Path, **settings: Any) -> SentimentData:
    pytest.importorskip("datasets")
    return SentimentData(source, text_column="sentence", cache_dir=str(tmp_path / "cache"), **settings)


TEXTS = [(f"a {word} film , number {number} .", number % 2) for number in range(30) for word in ("fine",)]


def test_an_unlabelled_test_split_as_in_sst2(tmp_path: Path) -> None:
    unlabelled = [(text, -1) for text, _ in TEXTS]
    source = write(tmp_path / "set", train=TEXTS, validation=[("fine wine", 1), ("so so", 0)], test=unlabelled)
    data = reviews(source, tmp_path)
    facts = data.facts()
    assert facts["test"] == "the validation split, as there is no labelled test split"
    assert facts["validation"] == "10% of the training split"
    assert (facts["train texts"], facts["val texts"], facts["test texts"]) == (27, 3, 2)
    assert facts["test tokens unknown"] == "75.00%"  # wine, so, so
    assert data.data_kind == "real"


def test_what_is_dropped_or_cut_is_counted(tmp_path: Path) -> None:
    rows = [*TEXTS, ("  ", 1), ("", 0)]
    source = write(tmp_path / "set", train=rows, validation=TEXTS, test=TEXTS)
    facts = reviews(source, tmp_path, max_length=4, vocabulary_size=7).facts()
    assert facts["train empty and dropped"] == 2
    assert facts["train cut to 4 tokens"] == 30
    assert facts["vocabulary"] == 7
    assert facts["train tokens unknown"] == "25.00%"
    assert "validation" not in facts


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*TEXTS, ("bad label", 3)], "row 30 of train has label 3, expected 0"),
        ([*TEXTS, (None, 1)], "row 30 of train has no text but None"),
        ([("", 0)] * 30, "every text of train .* is empty"),
    ],
)
def test_rows_that_cannot_be_learned_from(rows: list[tuple[Any, Any]], words: str, tmp_path: Path) -> None:
    source = write(tmp_path / "set", train=rows, validation=TEXTS, test=TEXTS)
    with pytest.raises(InvalidInput, match=words):
        reviews(source, tmp_path).setup()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"train_size": 3}, "train_size must be even"),
        ({"evaluation_size": 0}, "evaluation_size must be an integer of at least 1"),
        ({"max_length": 0}, "max_length must be"),
        ({"source": "grammer"}, "there is no such folder"),
    ],
)
def test_settings_that_make_no_data(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        SentimentData(**settings).setup()


def test_a_run_says_and_keeps_what_the_data_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fit", "--config", "sentiment", "--runs", str(tmp_path), "--trainer.max_epochs", "1"]
    arguments += ["--data.train_size", "32", "--data.evaluation_size", "16", "--data.batch_size", "16"]
    arguments += ["--model.n_qubits", "2", "--model.controller_width", "4"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "data: source grammar" in out
    assert "baselines: test_accuracy_bag_of_words 0.5" in out
    run = only_run(tmp_path)
    result = json.loads((run / "result.json").read_text())
    assert result["baselines"]["test_accuracy_bag_of_words"] == 0.5
    assert result["parameters"]["total"] == sum(result["parameters"][part] for part in ("embedding", "cell", "head"))
    assert json.loads((run / "env.json").read_text())["data"]["train texts"] == 32
