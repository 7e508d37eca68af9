"""Language modelling: predict every next token of running text; report perplexity.

The text of a split is one long sequence of tokens, an end mark after every paragraph or line. It is cut into
`batch_size` parallel streams, and these into segments; the state at the end of a segment, cut from its gradient, is
where the next one begins (truncated backpropagation through time). Every token is predicted once, the end marks and
those without an id of their own (`<unk>`, all as one) included, so perplexities compare only at the same vocabulary.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from backends.errors import InvalidInput
from lightning_modules.data.loaders import Batch
from lightning_modules.data.vocabulary import PADDING
from lightning_modules.runs.processes import gathered
from lightning_modules.tasks.language_modelling.carried_state import plain, restored
from lightning_modules.tasks.text_task import TextTask


class LanguageModel(TextTask):
    """Predict the next token at every timestep; the state goes on from batch to batch of an epoch.

    Args:
        skip: Whether the head reads the embedding of the current token beside the readouts. Without it, all that the
            model knows of the current token is what one step of the circuit made visible of it.

    The other arguments are those of `TextTask`.
    """

    ignored_target = PADDING
    continues_state = True

    def __init__(self, *args: Any, skip: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if skip:
            self.head = nn.Linear(self.head.in_features + self.features, self.hparams["output_size"])
        self._carried: dict[str, Any] = {}  # by split
        self._loaded: list[Any] | None = None  # plain values of the state at which a checkpoint was written, by rank

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the accuracy over all tokens."""
        return MetricCollection({"accuracy": MulticlassAccuracy(classes, average="micro", ignore_index=PADDING)})

    def inputs(self, batch_inputs: Tensor) -> tuple[Tensor, None]:
        """Return embeddings (batch, time, embedding_size) of token ids (batch, time); streams have one length."""
        return self.embed(batch_inputs), None

    def readouts(self, z: Tensor, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Return z (batch, time, output_size), with `skip` followed by the embeddings: (..., + embedding_size)."""
        return torch.cat([z, x], -1) if self.hparams["skip"] else z

    def read(self, z: Tensor) -> Tensor:
        """Return logits (batch, time, ids) from what `readouts` returned."""
        return cast(Tensor, self.head(z))

    def scored(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return every timestep, flattened."""
        return outputs.flatten(0, 1), targets.flatten()

    def derived(self, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the perplexity: the exponential of the mean loss in nats over all tokens."""
        return {"perplexity": metrics["loss"].exp()}

    def weight(self, batch: Batch) -> int:
        """Return the number of tokens that the batch predicts."""
        return int((batch[1] != PADDING).sum())

    # The state that goes on ------------------------------------------------------------------------------------------

    def initial_state(self, split: str) -> Any:
        """Return the state after the last batch; None at the beginning of the text."""
        return self._carried.get(split)

    def keep_state(self, split: str, state: Any) -> None:
        """Keep the state for the next batch, cut from its gradient."""
        self._carried[split] = state.detach()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one segment."""
        self._begin("train", batch, batch_idx)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record one validation segment."""
        self._begin("val", batch, batch_idx)
        super().validation_step(batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record one test segment."""
        self._begin("test", batch, batch_idx)
        super().test_step(batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the logits of one segment, which goes on from the one before."""
        self._begin("predict", batch, batch_idx)
        return super().predict_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep also the state at which training stopped."""
        super().on_save_checkpoint(checkpoint)
        first, *others = gathered(plain(self._carried.get("train")))
        checkpoint |= {"carried_state": first, "carried_states_of_others": others}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up also the state at which training stopped."""
        super().on_load_checkpoint(checkpoint)
        self._loaded = [checkpoint.get("carried_state"), *checkpoint.get("carried_states_of_others", [])]

    def _begin(self, split: str, batch: Batch, batch_idx: int) -> None:
        if batch_idx == 0:
            self._carried.pop(split, None)
        elif split == "train" and self._loaded is not None:
            if len(self._loaded) != self.trainer.world_size:
                raise InvalidInput(
                    f"language modelling: the run stopped in the middle of the text with {len(self._loaded)} processes "
                    f"that have their own streams each; resume it with as many, not {self.trainer.world_size}"
                )
            self._carried[split] = restored(self._any_state(batch[0]), self._loaded[self.global_rank])
        if split == "train":
            self._loaded = None

    @torch.no_grad()
    def _any_state(self, batch_inputs: Tensor) -> Any:
        """Return a state of this cell for a batch of this size, without touching the random generators."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            return self.cell(self.inputs(batch_inputs[:, :1])[0])[1]
