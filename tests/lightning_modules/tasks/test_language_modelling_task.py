"""Language modelling: every token is predicted once, the state goes on, counts agree with a slow reading."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.data.vocabulary import BEGIN, END, PADDING, UNKNOWN
from lightning_modules.tasks.language_modelling import ngrams
from lightning_modules.tasks.language_modelling.carried_state import plain, restored
from lightning_modules.tasks.language_modelling.data import LanguageModellingData, TokenStreams
from lightning_modules.tasks.language_modelling.ngrams import ngram_perplexities
from lightning_modules.tasks.language_modelling.reference_text import LARGEST, reference_text
from lightning_modules.tasks.language_modelling.task import LanguageModel
from tests.lightning_modules.small_runs import KillAt, Killed, only_run, weights

LINES = [f"the {a} {b} the" for a in ("cat", "dog", "cow") for b in ("sees", "hears")]


def small(tmp_path: Path, lines: list[Any] = LINES, **settings: Any) -> LanguageModellingData:
    pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir(exist_ok=True)
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    settings = {"batch_size": 4, "segment_length": 3, **settings}
    return LanguageModellingData(str(folder), cache_dir=str(tmp_path / "cache"), **settings)


# The text --------------------------------------------------------------------------------------------------------


def test_streams_predict_every_token_once_from_the_one_before() -> None:
    ids = np.arange(4, 27)  # 23 tokens in 4 streams of 6, segments of 4
    dataset = TokenStreams(ids, 4, 4)
    assert len(dataset) == 8
    batches = [dataset[list(range(first, first + 4))] for first in (0, 4)]
    assert [batch[0].shape for batch in batches] == [(4, 4), (4, 2)]
    inputs, targets = (torch.cat([batch[part] for batch in batches], 1) for part in (0, 1))
    assert targets.flatten()[:23].tolist() == ids.tolist()
    assert inputs.flatten()[:23].tolist() == [BEGIN, *ids[:-1].tolist()]
    assert (inputs[-1, -1], targets[-1, -1]) == (PADDING, PADDING)


def test_reference_text_repeats_no_paragraph_and_splits_by_topic() -> None:
    text = reference_text()
    paragraphs = [tuple(p) for split in text.splits.values() for p in split]
    assert len(paragraphs) == len(set(paragraphs))
    assert text.repeated_tokens > 0
    sizes = {split: sum(map(len, found)) for split, found in text.splits.items()}
    everything = sum(sizes.values())
    for split in ("val", "test"):
        assert 0.1 <= sizes[split] / everything <= 0.1 + LARGEST
    assert min(text.topics.values()) > 1


def test_repetitions_and_markup_are_left_out() -> None:
    topics = {"long": "Heading\n*******\n\nOne two.\n\nShared words here.", "short": "shared  words\nhere.\n\nOwn."}
    text = reference_text(topics)
    found = sorted(p for split in text.splits.values() for p in split)
    assert found == [["heading"], ["one", "two", "."], ["own", "."], ["shared", "words", "here", "."]]
    assert text.repeated_tokens == 4


def test_a_folder_of_lines(tmp_path: Path) -> None:
    data = small(tmp_path, [*LINES, "", "  "], vocabulary_size=5)
    facts = data.facts()
    assert facts["train empty lines dropped"] == 2
    assert facts["train tokens"] == 6 * 5  # four words and an end mark
    assert facts["train unknown"] == "40.00%"
    assert data.ids["train"][:5].tolist() == [4, UNKNOWN, UNKNOWN, 4, END]
    assert data.data_kind == "real"


@pytest.mark.parametrize(
    ("lines", "settings", "words"),
    [
        (LINES, {"batch_size": 31}, "train has 30 tokens, too few for 31 streams"),
        ([*LINES, None], {}, "row 6 of train has no text but None"),
        (LINES, {"segment_length": 0}, "segment_length must be"),
        (LINES, {"tokenizer": "bpe"}, "unknown tokenizer 'bpe'"),
        (LINES, {"text_column": "body"}, "no column 'body'"),
        ([""], {}, "none of 0 different tokens"),
    ],
)
def test_text_that_cannot_be_used(lines: list[Any], settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=words):
        small(tmp_path, lines, **settings).setup()


# Models that count -----------------------------------------------------------------------------------------------


def test_counts_agree_with_a_slow_reading() -> None:
    generator = np.random.default_rng(0)
    train, val, test = (generator.zipf(1.5, size).clip(1, 6) + 3 for size in (60, 30, 40))
    size = 10
    found = ngram_perplexities(train, val, test, size)

    def slow(alpha: float, beta: float, tokens: np.ndarray[Any, Any]) -> tuple[float, float]:
        singles, pairs = Counter(train.tolist()), Counter(zip([BEGIN, *train[:-1]], train, strict=True))
        contexts = Counter([BEGIN, *train[:-1].tolist()])
        logs = np.zeros(2)
        for before, token in zip([BEGIN, *tokens[:-1]], tokens, strict=True):
            unigram = (singles[token] + alpha) / (60 + alpha * size)
            bigram = (pairs[before, token] + beta * unigram) / (contexts[before] + beta)
            logs += np.log([unigram, bigram])
        return tuple(np.exp(-logs / len(tokens)))

    alphas, betas = np.geomspace(1e-3, 1e4, 400), np.geomspace(1e-3, 1e4, 400)
    alpha = alphas[np.argmin([slow(a, 1.0, val)[0] for a in alphas])]
    beta = betas[np.argmin([slow(alpha, b, val)[1] for b in betas])]
    expected = slow(alpha, beta, test)
    # A grid of 400 on 7 decades is 4 % wide, near a minimum of the validation perplexity.
    assert found["test_perplexity_unigram"] == pytest.approx(expected[0], rel=0.01)
    assert found["test_perplexity_bigram"] == pytest.approx(expected[1], rel=0.01)


def test_probabilities_sum_to_one() -> None:
    train = np.array([4, 5, 4, 6, 5])
    unigram = ngrams._unigram(np.bincount(train, minlength=8).astype(float), 0.3)
    assert unigram.sum() == pytest.approx(1)
    following = [ngrams._bigram(train, np.array([4, token]), unigram, 0.7)[1] for token in range(8)]
    assert sum(following) == pytest.approx(1)


# The state that goes on ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "skip"), [("statevector", False), ("mps", True)])
def test_segments_make_one_long_sequence(backend: str, skip: bool, tmp_path: Path) -> None:
    data = small(tmp_path)
    torch.manual_seed(0)
    size = data.input_size
    model = LanguageModel(size, size, n_qubits=2, controller_width=4, angle_scale=3.0, backend=backend, skip=skip)
    model.eval()
    batches = list(data.val_dataloader())
    assert len(batches) > 2
    for number, batch in enumerate(batches):
        model._begin("val", batch, number)
        model._step(batch, "val")
    whole = tuple(torch.cat([batch[part] for batch in batches], 1) for part in (0, 1))
    z, _ = model.cell(model.embed(whole[0]))
    logits = model.read(torch.cat([z, model.embed(whole[0])], -1) if skip else z)
    expected = cross_entropy(logits.flatten(0, 1), whole[1].flatten(), ignore_index=PADDING)
    metrics = model._metrics("val").compute()
    torch.testing.assert_close(metrics["loss"], expected)
    assert model.derived(metrics)["perplexity"].item() == pytest.approx(math.exp(expected.item()), rel=1e-5)
    # The next pass begins anew.
    model._begin("val", batches[0], 0)
    assert model.initial_state("val") is None


@pytest.mark.parametrize(
    "settings",
    [{}, {"backend": "mps", "max_bond": 2}, {"cell": "lstm"}, {"cell": "gru"}],
    ids=["statevector", "mps", "lstm", "gru"],
)
def test_a_state_survives_a_checkpoint(settings: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LanguageModel(9, 9, n_qubits=4, controller_width=4, angle_scale=3.0, **settings)
    first, second = (model.embed(torch.randint(4, 9, (3, 5))) for _ in range(2))
    with torch.no_grad():
        _, state = model.cell(first)
        torch.save(plain(state), tmp_path / "state")
        again = restored(model._any_state(torch.zeros(3, 2).long()), torch.load(tmp_path / "state", weights_only=True))
        assert torch.equal(model.cell(second, again)[0], model.cell(second, state)[0])


@pytest.mark.parametrize("backend", ["statevector", "mps"])
def test_resume_in_the_middle_of_the_text_is_exact(backend: str, kill_at: KillAt, tmp_path: Path) -> None:
    small(tmp_path)  # writes the text

    def fit(runs: str) -> int:
        arguments = ["fit", "--config", "language_modelling", "--runs", str(tmp_path / runs)]
        arguments += ["--data.source", str(tmp_path / "set"), "--data.cache_dir", str(tmp_path / "cache")]
        arguments += ["--data.batch_size", "4", "--data.segment_length", "2", "--trainer.max_epochs", "2"]
        arguments += ["--model.n_qubits", "3", "--model.controller_width", "4", "--model.dropout", "0.5"]
        arguments += ["--model.backend", backend, "--model.angle_scale", "3", "--checkpoint_every", "1"]
        return main([*arguments, *(["--model.max_bond", "2"] if backend == "mps" else [])])

    assert fit("whole") == 0
    for step in (2, 6):  # four segments in an epoch: in the middle of both
        kill_at(step)
        with pytest.raises(Killed):
            fit("killed")
    kill_at(-1)
    torch.manual_seed(99)
    assert fit("killed") == 0
    whole, killed = (only_run(tmp_path / runs) for runs in ("whole", "killed"))
    expected = weights(whole / "checkpoints" / "last.ckpt")
    for name, value in weights(killed / "checkpoints" / "last.ckpt").items():
        assert torch.equal(value, expected[name]), name
    result = json.loads((killed / "result.json").read_text())
    assert result["metrics"] == json.loads((whole / "result.json").read_text())["metrics"]
    assert result["metrics"]["test_perplexity"] == pytest.approx(math.exp(result["metrics"]["test_loss"]))
    assert set(result["baselines"]) == {"test_perplexity_unigram", "test_perplexity_bigram"}
