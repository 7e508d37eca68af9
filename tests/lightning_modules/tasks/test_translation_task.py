"""The task: what it trains, what it writes, and that a run is whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread
from torch.nn.functional import cross_entropy

from backends.errors import InvalidInput
from lightning_modules.cli.cli import main
from lightning_modules.data.vocabulary import BEGIN, PADDING
from lightning_modules.tasks.translation.data import TranslationData
from lightning_modules.tasks.translation.task import Translator
from tests.lightning_modules.small_runs import KillAt, Killed, only_run, rows, weights

DATA = {"largest": 99, "val_size": 8, "test_size": 8, "batch_size": 4}
# fmt: off
SMALL = [
    "--config", "translation", "--model.n_qubits", "2", "--model.controller_width", "4", "--model.dropout", "0.5",
    "--model.validation_samples", "6", "--data.largest", "99", "--data.val_size", "8", "--data.test_size", "8",
    "--data.batch_size", "4", "--trainer.max_epochs", "2", "--trainer.limit_train_batches", "3",
    "--trainer.log_every_n_steps", "1",
]
# fmt: on


@pytest.fixture
def data() -> TranslationData:
    return TranslationData(**DATA)


def translator(data: TranslationData, **settings: Any) -> Translator:
    torch.manual_seed(0)
    sizes = {name: getattr(data, name) for name in ("input_size", "output_size", "sequence_length")}
    return Translator(**sizes, **{"n_qubits": 2, "controller_width": 4, "angle_scale": 1.0, **settings}).eval()


def test_loss_is_the_mean_over_the_tokens_of_the_references(data: TranslationData) -> None:
    task = translator(data)
    source, targets = data.dataset("train")[list(range(5))]
    loss, outputs, _ = task.loss((source, targets))
    losses = []
    for sample in range(5):
        length = int((targets[sample] != PADDING).sum())
        before = torch.tensor([BEGIN, *targets[sample, : length - 1].tolist()])
        words = source[sample : sample + 1, : int((source[sample] != PADDING).sum())]
        z, _ = task.model(task.embedding["source"](words), task.embedding["target"](before)[None])
        losses += [cross_entropy(task.head(z)[0], targets[sample, :length], reduction="none")]
        torch.testing.assert_close(outputs[sample, :length], task.head(z)[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loss, torch.cat(losses).mean(), rtol=1e-4, atol=1e-5)
    assert task.weight((source, targets)) == len(torch.cat(losses))


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_translation_does_not_depend_on_its_batch(data: TranslationData, beam_size: int) -> None:
    task = translator(data, beam_size=beam_size)
    source, _ = data.dataset("train")[list(range(6))]
    with torch.no_grad():
        task.head.weight.mul_(5)  # decided enough that rounding chooses no token
        together = data.text(task(source))
        alone = [data.text(task(row[row != PADDING][None]))[0] for row in source]
    assert together == alone
    assert len(set(together)) > 1


def test_greedy_translation_takes_the_likeliest_token_each_time(data: TranslationData) -> None:
    task = translator(data)
    source, _ = data.dataset("train")[[0, 1, 2]]
    tokens = task(source)
    _, outputs, _ = task.loss((source, tokens))  # teacher forcing with its own words
    outputs[..., [PADDING, BEGIN]] = -torch.inf
    written = tokens != PADDING
    assert torch.equal(outputs.argmax(-1)[written], tokens[written])


def test_attention_of_a_translation_is_over_its_source(data: TranslationData) -> None:
    task = translator(data)
    source, targets = data.dataset("train")[list(range(4))]
    weights_ = task.attention(source, targets)
    assert weights_.shape == (4, targets.shape[1], source.shape[1])
    torch.testing.assert_close(weights_.sum(-1), torch.ones(4, targets.shape[1]))
    assert (weights_.transpose(1, 2)[source == PADDING] == 0).all()


@pytest.mark.parametrize("cell", ["qrnn", "gru"])
def test_parameters_are_counted_by_part(data: TranslationData, cell: str) -> None:
    task = translator(data, cell=cell, embedding_size=5, attention_size=3)
    counts = task.parameter_counts()
    readouts = 6
    attention = (readouts + 1) * 3 + readouts * 3 + 3
    assert counts["embedding"] == 5 * (data.input_size + data.output_size)
    assert counts["head"] == (readouts + 1) * data.output_size
    recurrent = [task.model.encoder, task.model.decoder]
    assert counts["cell"] == attention + sum(p.numel() for each in recurrent for p in each.parameters())
    assert counts["total"] == counts["embedding"] + counts["cell"] + counts["head"]


def test_weights_do_not_depend_on_the_backend(data: TranslationData) -> None:
    exact, truncated = translator(data), translator(data, backend="mps", max_bond=None)
    truncated.load_state_dict(exact.state_dict())
    batch = data.dataset("train")[list(range(4))]
    torch.testing.assert_close(truncated.loss(batch)[0], exact.loss(batch)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"beam_size": 0}, "beam_size"),
        ({"embedding_size": 0}, "embedding_size"),
        ({"attention_size": 0}, "width"),
        ({"length_penalty": -1.0}, "length_penalty"),
        ({"validation_samples": 0}, "validation_samples"),
    ],
)
def test_impossible_settings_are_refused(data: TranslationData, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        translator(data, **settings)


def test_a_run_writes_translations_and_attention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    translated: list[int] = []
    real = Translator.forward

    def forward(self: Translator, x: torch.Tensor) -> torch.Tensor:
        translated.append(len(x))
        return real(self, x)

    monkeypatch.setattr(Translator, "forward", forward)
    assert main(["fit", *SMALL, "--runs", str(tmp_path), "--model.beam_size", "2"]) == 0
    assert translated == [4, 2, 4, 2, 4, 4]  # 6 of the 8 to validate after both epochs, then all 8 to test
    out = capsys.readouterr().out
    assert "BLEU: sacrebleu nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:" in out
    run = only_run(tmp_path)
    result = json.loads((run / "result.json").read_text())
    assert result["data"] == "synthetic"
    assert {"test_exact_match", "test_bleu", "test_token_accuracy"} <= result["metrics"].keys()
    written = json.loads((run / "translations.json").read_text())
    assert written["bleu_signature"] in out
    assert (written["beam_size"], len(written["test"])) == (2, 8)
    references = TranslationData(**DATA).references("test")
    assert [pair["reference"] for pair in written["test"]] == references
    same = sum(pair["reference"] == pair["translation"] for pair in written["test"])
    assert result["metrics"]["test_exact_match"] == pytest.approx(same / 8)
    picture = imread(run / "attention.png")
    assert min(picture.shape[:2]) > 300
    assert picture[..., 0].std() > 0.05
    assert {"val_exact_match", "val_bleu"} <= {name for row in rows(run) for name in row}

    assert main(["validate", "--config", str(run / "config.yaml")]) == 0
    assert "val_bleu" in capsys.readouterr().out


def test_a_checkpoint_is_tested_with_another_backend_and_beam(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *SMALL, "--runs", str(tmp_path), "--trainer.max_epochs", "1"]) == 0
    path = only_run(tmp_path) / "checkpoints" / "best.ckpt"
    capsys.readouterr()
    other = ["--model.backend", "mps", "--model.beam_size", "3", "--checkpoint", str(path)]
    assert main(["test", *SMALL, *other, "--runs", str(tmp_path)]) == 0
    assert "test_bleu" in capsys.readouterr().out
    only_run(tmp_path)  # a test makes no new folder


def test_a_run_on_a_data_set_in_the_format_of_the_hub(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("pairs")
    pairs = [{"de": "Der Hund schläft.", "en": "The dog sleeps."}, {"de": "Die Katze läuft.", "en": "The cat runs."}]
    for split, rows_ in (("train", pairs * 4), ("val", pairs), ("test", pairs)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_))
    runs = tmp_path_factory.mktemp("runs")
    real = ["--data.source", str(folder), "--data.cache_dir", str(runs / "cache"), "--trainer.max_epochs", "1"]
    assert main(["fit", *SMALL, *real, "--runs", str(runs / "fit")]) == 0
    assert "case:lc" in capsys.readouterr().out
    run = only_run(runs / "fit")
    assert json.loads((run / "result.json").read_text())["data"] == "real"
    written = json.loads((run / "translations.json").read_text())
    assert [pair["reference"] for pair in written["test"]] == ["The dog sleeps.", "The cat runs."]


def test_resume_is_exact(kill_at: KillAt, tmp_path: Path) -> None:
    def fit(runs: str) -> int:
        return main(["fit", *SMALL, "--runs", str(tmp_path / runs), "--checkpoint_every", "1"])

    assert fit("whole") == 0
    kill_at(4)
    with pytest.raises(Killed):
        fit("resumed")
    kill_at(-1)
    torch.manual_seed(99)  # the new process is in another random state
    assert fit("resumed") == 0
    whole, resumed = only_run(tmp_path / "whole"), only_run(tmp_path / "resumed")
    expected = weights(whole / "checkpoints" / "last.ckpt")
    for name, value in weights(resumed / "checkpoints" / "last.ckpt").items():
        assert torch.equal(value, expected[name]), name
    results = [json.loads((run / "result.json").read_text())["metrics"] for run in (whole, resumed)]
    assert results[0] == results[1]
