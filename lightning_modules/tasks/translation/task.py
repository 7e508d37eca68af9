"""Translation: an encoder hands its hidden state to a decoder, which attends to the encoder's readouts.

Trained with the reference's tokens as the decoder's input (teacher forcing); scored on what the decoder writes by
itself: exact match and BLEU of detokenised text, by beam search. Which cell, and how its state is held, is not known
here: see `tnqrnn.encoder_decoder`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from backends.errors import require_number, require_positive_int
from lightning_modules.data.loaders import Batch, share
from lightning_modules.data.vocabulary import BEGIN, PADDING
from lightning_modules.runs.processes import gathered
from lightning_modules.runs.run_directory import write_json
from lightning_modules.tasks.task import SequenceTask
from lightning_modules.tasks.translation.attention_figure import AttentionMap, draw_attention
from lightning_modules.tasks.translation.data import TranslationData
from lightning_modules.tasks.translation.decoding import beam_search
from lightning_modules.tasks.translation.scores import TranslationScores
from tnqrnn.encoder_decoder import Decoding, EncoderDecoder
from tnqrnn.room import require_room
from tnqrnn.sequences import SequenceNetwork, at_least_single

DRAWN = 4  # attention maps in the picture


class Translator(SequenceTask):
    """Translate token by token, with the cell and the settings of every task, twice: as encoder and as decoder.

    Args:
        embedding_size: Features of an embedded token, in both languages.
        attention_size: Features in which the decoder's readouts are compared with the encoder's.
        beam_size: Hypotheses that decoding keeps for every sentence; 1 decodes greedily.
        length_penalty: Exponent of the length penalty that ranks hypotheses; 0: none, which favours short ones.
        validation_samples: Sentences that are decoded after every epoch; the test decodes all.
    """

    ignored_target = PADDING
    continues_state = True

    def __init__(
        self,
        *args: Any,
        embedding_size: int = 16,
        attention_size: int = 16,
        beam_size: int = 1,
        length_penalty: float = 1.0,
        validation_samples: int = 200,
        **kwargs: Any,
    ) -> None:
        require_positive_int("translation", "embedding_size", embedding_size)
        require_positive_int("translation", "beam_size", beam_size)
        require_positive_int("translation", "validation_samples", validation_samples)
        require_number("translation", "length_penalty", length_penalty, 0, 10)
        super().__init__(*args, **kwargs)
        sizes = {"source": self.hparams["input_size"], "target": self.hparams["output_size"]}
        require_room("translation", sum(sizes.values()) * embedding_size, "Use a smaller embedding_size.")
        self.embedding = nn.ModuleDict(
            {side: nn.Embedding(size, embedding_size, padding_idx=PADDING) for side, size in sizes.items()}
        )
        self.written = nn.ModuleDict()
        self._drawn: list[AttentionMap] = []
        self._translations: dict[int, dict[str, str]] = {}  # by number in the test set

    # Model -----------------------------------------------------------------------------------------------------------

    def build_cell(self, features: int | None = None) -> nn.Module:
        """Return encoder, decoder and attention; all of it counts as the cell's parameters."""
        embedded = self.hparams["embedding_size"]
        encoder = cast(SequenceNetwork, super().build_cell(embedded))
        decoder = cast(SequenceNetwork, super().build_cell(embedded + encoder.output_size))
        return EncoderDecoder(encoder, decoder, self.hparams["attention_size"], self.hparams["segment_length"])

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the share of tokens that are the likeliest ones, given the reference's tokens before them."""
        return MetricCollection({"token_accuracy": MulticlassAccuracy(classes, average="micro", ignore_index=PADDING)})

    def read(self, z: Tensor) -> Tensor:
        """Return logits (..., target vocabulary) from the decoder's readouts (..., output_size)."""
        return cast(Tensor, self.head(z))

    def inputs(self, batch_inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the embedded source (batch, source steps, embedding_size) and its lengths (batch,)."""
        return cast(Tensor, self.embedding["source"](batch_inputs)), (batch_inputs != PADDING).sum(1)

    def loss(self, batch: Batch, state: Any = None) -> tuple[Tensor, Tensor, Any]:
        """Return the mean cross entropy of the reference's tokens in nats, the logits, and the decoder's final state.

        The decoder reads the reference, one token behind. Padding is not scored.
        """
        source, targets = batch
        x, lengths = self.inputs(source)
        before = torch.cat([torch.full_like(targets[:, :1], BEGIN), targets[:, :-1]], 1)
        z, end = self.model(x, self.embedding["target"](before), lengths)
        outputs = self.read(z)
        return self.mean_cross_entropy(outputs, targets), outputs, end.state

    def weight(self, batch: Batch) -> int:
        """Return the number of tokens that are scored: the loss is a mean over tokens."""
        return int((batch[1] != PADDING).sum())

    def scored(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and targets of all tokens, padding included, which the metrics leave out."""
        return outputs.flatten(0, 1), targets.flatten()

    @property
    def model(self) -> EncoderDecoder:
        """The cell, by its type."""
        return cast(EncoderDecoder, self.cell)

    def forward(self, x: Tensor) -> Tensor:
        """Translate sources (batch, source steps): token numbers (batch, steps), with the end, padded."""
        size = self.hparams["beam_size"]
        beams = beam_search(
            self._next,
            self.model.encode(*self.inputs(x)),
            len(x),
            x.device,
            beam_size=size,
            max_steps=self.hparams["sequence_length"],
            alpha=self.hparams["length_penalty"],
        )
        return beams.tokens[:, 0]

    @torch.no_grad()
    def attention(self, source: Tensor, tokens: Tensor) -> Tensor:
        """Return the weights (batch, steps, source steps) with which `tokens` (batch, steps) are written."""
        at, weights = self.model.encode(*self.inputs(source)), []
        before = torch.cat([torch.full_like(tokens[:, :1], BEGIN), tokens[:, :-1]], 1)
        for t in range(before.shape[1]):
            at, looked = self.model.step(self.embedding["target"](before[:, t]), at)
            weights.append(looked)
        return torch.stack(weights, 1)

    def require_memory(self, batch_size: int) -> None:
        """Refuse a batch whose hidden states, of every hypothesis in the beam, do not fit the memory."""
        super().require_memory(batch_size * self.hparams["beam_size"])

    def _next(self, tokens: Tensor, at: Decoding) -> tuple[Tensor, Decoding]:
        at, _ = self.model.step(self.embedding["target"](tokens), at)
        logits = self.read(at.readouts)
        return logits.log_softmax(-1, at_least_single(logits.dtype)), at

    # Scores of what it writes ----------------------------------------------------------------------------------------

    @property
    def data(self) -> TranslationData:
        """The data that the trainer works on: they know the words."""
        return cast(TranslationData, self.trainer.datamodule)  # type: ignore[attr-defined]

    def on_validation_epoch_start(self) -> None:
        """Begin a count of translations."""
        self._begin("val")

    def on_test_epoch_start(self) -> None:
        """Begin a count of translations, and the samples to show."""
        self._begin("test")
        self._drawn, self._translations = [], {}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record one validation batch; translate it if not enough are translated."""
        super().validation_step(batch, batch_idx)
        left = self.hparams["validation_samples"] - self._position("val", batch_idx).start
        if left > 0:
            self._translate(batch[0][:left], "val", batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record one test batch, and translate it."""
        super().test_step(batch, batch_idx)
        tokens = self._translate(batch[0], "test", batch_idx)
        if batch_idx == 0:
            self._drawn = self._maps(batch[0][:DRAWN], tokens[:DRAWN])

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the translations of a batch as token numbers (batch, steps), with the end, padded."""
        return cast(Tensor, self(batch[0]))

    def on_test_epoch_end(self) -> None:
        """Log the test metrics; write translations and attention maps into the run's folder."""
        super().on_test_epoch_end()
        for other in gathered(self._translations):
            self._translations |= other
        self._report()

    def _begin(self, split: str) -> None:
        self.written[split] = TranslationScores(self.data.lower_case).to(self.device)

    def _scores(self, split: str) -> TranslationScores:
        return cast(TranslationScores, self.written[split])

    def _translate(self, source: Tensor, split: str, batch_idx: int) -> Tensor:
        tokens = cast(Tensor, self(source))
        position = self._position(split, batch_idx)
        references = self.data.references(split)[position][: len(source)]
        translations = self.data.text(tokens)
        self._scores(split).update(translations, references)
        if split == "test":
            pairs = enumerate(zip(references, translations, strict=True), start=position.start)
            self._translations |= {i: {"reference": wanted, "translation": found} for i, (wanted, found) in pairs}
        return tokens

    def _position(self, split: str, batch_idx: int) -> slice:
        """Return which pairs of a split are in a batch, or in this process's part of it."""
        first, size = batch_idx * self.data.batch_size, self.data.batch_size
        samples = min(size, len(self.data.references(split)) - first)
        part = share(samples, self.trainer.world_size, self.global_rank)
        return slice(first + part.start, first + part.stop)

    def logged_names(self, validates: bool = True) -> list[str]:
        """Return also the names of the scores of what is written."""
        return [*super().logged_names(validates), *(("val_exact_match", "val_bleu") if validates else ())]

    def _log_epoch(self, split: str) -> None:
        super()._log_epoch(split)
        if split in self.written and any(gathered(int(self._scores(split).samples) > 0)):
            values = self._scores(split).compute()
            self.log_dict({f"{split}_{name}": value for name, value in values.items()})

    def _maps(self, source: Tensor, tokens: Tensor) -> list[AttentionMap]:
        """Return the attention of a few translations, each cut to its own tokens."""
        words, maps = self.data.target_vocabulary, []
        for row, written, weights in zip(source.tolist(), tokens.tolist(), self.attention(source, tokens), strict=True):
            names = self.data.source_vocabulary.decode(row)
            target = words.decode(written)
            target += ["(end)"] if len(target) < len(written) else []
            maps.append(AttentionMap(names, target, weights[: len(target), : len(names)]))
        return maps

    @rank_zero_only
    def _report(self) -> None:
        signature = self._scores("test").signature
        print(f"BLEU: sacrebleu {signature}, on detokenised text", flush=True)
        folder = Path(self.trainer.default_root_dir)
        if not folder.is_dir():  # a checkpoint from elsewhere, tested: there is no run to write into
            return
        settings = {name: self.hparams[name] for name in ("beam_size", "length_penalty")}
        content: dict[str, Any] = {"bleu_signature": signature, **settings, "data": self.data.facts()}
        translations = [pair for _, pair in sorted(self._translations.items())]
        write_json(folder / "translations.json", {**content, "test": translations})
        draw_attention(self._drawn, folder / "attention.png")
