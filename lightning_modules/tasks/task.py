"""The base of every task: a recurrent cell reads a sequence, a linear head reads the cell.

A subclass says what is scored; the loss, the optimiser, the logging and the one step that train, validation and test
share are here. Nothing is simulated here: physics lives in `tnqrnn` and `backends`.
"""

from __future__ import annotations

import logging
import math
from typing import Any, cast

import torch
import torch.distributed as dist
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchmetrics import MetricCollection

from backends.errors import InvalidInput, as_integer, require_positive_int
from backends.memory import require_memory
from lightning_modules.data.loaders import Batch
from lightning_modules.runs.errors import TrainingStopped
from lightning_modules.runs.processes import connected, gathered
from lightning_modules.tasks.no_effect import changed, require_effect
from lightning_modules.tasks.settings import DEFAULTS, TaskSettings
from lightning_modules.tasks.split_metrics import SplitMetrics
from tnqrnn.cells import create_cell
from tnqrnn.matching import trained_parameters
from tnqrnn.recurrence import OnBackend, QuantumRecurrence
from tnqrnn.sequences import at_least_single

SPLITS = ("train", "val", "test")


class SequenceTask(LightningModule):
    """Train a recurrent cell and a linear head on sequences.

    Args:
        input_size: Features of the input at each timestep; comes from the data.
        output_size: Classes; comes from the data.
        sequence_length: Timesteps; comes from the data.
        settings: Those of cell, backend and optimiser, see `TaskSettings`.

    Raises:
        InvalidInput: A setting that no cell can be built from.
        TrainingStopped: Loss or gradient became NaN or infinite in training, or the truncation error exceeds its
            budget.
    """

    def __init__(self, input_size: int, output_size: int, sequence_length: int | None = None, **settings: Any) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.settings = TaskSettings(sequence_length=sequence_length, backend_options=None, **settings)
        self.hparams.update(self.settings.by_name())  # those left at their defaults too
        # Python's integers: with numpy's in it, a checkpoint could not be loaded with weights_only.
        whole = {name: as_integer(value) for name, value in self.hparams.items()}
        self.hparams.update({name: value for name, value in whole.items() if value is not None})
        output_size = require_positive_int("task", "output_size", output_size)
        self._is_over_budget = False
        self.cell = self.build_cell()
        if self.settings.state_depolarising and self.continues_state:
            self._require_no_quantum_state()
        self.head = nn.Linear(cast(int, self.cell.output_size), output_size)
        scores = self.build_scores(output_size)
        self.split_metrics = nn.ModuleDict({f"{split}_metrics": SplitMetrics(scores) for split in SPLITS})

    # What a subclass may say differently -----------------------------------------------------------------------------

    ignored_target = -100  # a target with this number is not scored
    continues_state = False  # whether a cell ever begins with the state that an earlier call left

    @property
    def features(self) -> int:
        """Features that the cell reads at every timestep."""
        return int(self.hparams["input_size"])

    def inputs(self, batch_inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what the cell reads: x (batch, time, features), and lengths (batch,) if sequences end early."""
        return batch_inputs, None

    def readouts(self, z: Tensor, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Return what `read` needs of the readouts z (batch, time, output_size) after x; all of z by default."""
        return z

    def initial_state(self, split: str) -> Any:
        """Return the state in which the next batch of a split begins; None: |0...0>, or what a cell begins with."""
        return None

    def keep_state(self, split: str, state: Any) -> None:
        """Take the state after a batch of a split, for the next one; ignored by default."""

    def weight(self, batch: Batch) -> int:
        """Return how much the mean loss of a batch weighs in that of the epoch: its samples, by default."""
        return len(batch[0])

    @staticmethod
    def defaults() -> dict[str, Any]:
        """Return the default of every setting that all tasks have and that has one."""
        return dict(DEFAULTS)

    def build_cell(self, features: int | None = None) -> nn.Module:
        """Return the recurrent cell for so many features per timestep (None: those of the data).

        Override to feed another one into the same task: any module that is called as a `QRNN` is, `(x, state, lengths)
        -> (readouts, state)`, with the number of its readouts as `output_size`.
        """
        require_effect("task", self.hparams, changed(self.hparams, DEFAULTS))
        return create_cell(self.settings.cell, self.features if features is None else features, self.settings)

    def build_scores(self, classes: int) -> MetricCollection:
        """Return the metrics that compare `scored(outputs, targets)`."""
        raise NotImplementedError

    def read(self, z: Tensor) -> Tensor:
        """Turn the readouts (batch, time, output_size) into logits (batch, ..., classes)."""
        raise NotImplementedError

    def scored(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the part of outputs and targets that the metrics compare; all of it by default."""
        return outputs, targets

    def derived(self, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return further metrics that follow from the epoch's metrics; none by default."""
        return {}

    # What every task shares ------------------------------------------------------------------------------------------

    def forward(self, batch_inputs: Tensor) -> Tensor:
        """Return the logits of a batch's inputs, such as x (batch, time, features)."""
        return self._outputs(batch_inputs, None)[0]

    def loss(self, batch: Batch, state: Any = None) -> tuple[Tensor, Tensor, Any]:
        """Return the mean cross entropy of a batch, the logits, and the cell's final state; records nothing.

        `state` is where the cell begins; None: where it always begins.
        """
        batch_inputs, targets = batch
        outputs, state = self._outputs(batch_inputs, state)
        return self.mean_cross_entropy(outputs, targets), outputs, state

    def mean_cross_entropy(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss in nats of logits (..., classes) and targets (...), in single precision at least."""
        logits = outputs.flatten(0, -2).to(at_least_single(outputs.dtype))
        return cross_entropy(logits, targets.flatten(), ignore_index=self.ignored_target)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        loss = self._step(batch, "train")
        whole, scale = self._of_all_processes(loss, self.weight(batch))
        self._require_finite("loss", whole)
        self.log("train_loss_step", whole, on_step=True, on_epoch=False, prog_bar=True)
        return loss if scale == 1 else loss * scale

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Refuse a gradient that is not finite (a scaler leaves it out): one step would make all weights NaN."""
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        scales = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        if gradients and not scales:
            self._require_finite("norm of the gradient", torch.nn.utils.get_total_norm(gradients))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record one validation batch."""
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record one test batch."""
        self._step(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the logits of a batch, as the test computes them; records nothing."""
        outputs, state = self._outputs(batch[0], self.initial_state("predict"))
        self.keep_state("predict", state)
        return outputs

    def on_train_epoch_end(self) -> None:
        """Log the training metrics of the epoch."""
        self._log_epoch("train")

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self._log_epoch("test")

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return Adam with a one-cycle schedule over the whole run."""
        rate = self.settings.learning_rate
        steps = self.trainer.estimated_stepping_batches
        if steps < 1:
            raise InvalidInput("task: there is nothing to train on; raise trainer.limit_train_batches or max_steps.")
        if math.isinf(steps):
            raise InvalidInput("task: the one-cycle schedule needs an end: set trainer.max_epochs or max_steps.")
        in_cell = {id(parameter) for parameter in self.cell.parameters()}
        others = [parameter for parameter in self.parameters() if id(parameter) not in in_cell]
        rates = [rate * self.settings.cell_rate, rate]
        groups: list[dict[str, Any]] = [{"params": self.cell.parameters()}, {"params": others}]
        optimizer = torch.optim.Adam(groups, lr=rate, eps=self.adam_epsilon)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rates, total_steps=int(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def adam_epsilon(self) -> float:
        """What keeps Adam from dividing by zero: torch's default, more in float16.

        There 1e-8 is zero, and so is the share 1 - beta_2 = 0.001 of the square of a gradient below 5e-3, to whose root
        Adam adds this. As large as the gradients that are lost so, it keeps every step within the learning rate.
        """
        limits = torch.finfo(self.head.weight.dtype)
        return max(1e-8, math.sqrt(limits.tiny * limits.eps / 0.001))  # their product is the smallest number of all

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the half-finished training metrics, so that a resumed epoch reports the whole epoch."""
        checkpoint["train_metrics"] = self._metrics("train").accumulated_by_all()
        # Of each process too: sums that go on where they were end with the same digits.
        checkpoint["train_metrics_by_rank"] = gathered(self._metrics("train").accumulated()) if connected() else []

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the half-finished training metrics."""
        by_rank = checkpoint.get("train_metrics_by_rank", [])
        if connected() and len(by_rank) == self.trainer.world_size:
            self._metrics("train").restore(by_rank[self.global_rank])
        elif self.global_rank == 0:
            self._metrics("train").restore(checkpoint.get("train_metrics", {}))

    def require_memory(self, batch_size: int) -> None:
        """Refuse a batch whose hidden state does not fit the memory, before anything is computed or written."""
        trained = sum(p.numel() * p.element_size() for p in self.parameters() if p.requires_grad)
        remedy = "Use a smaller controller_width or hidden_size."
        require_memory("task", "the gradient and Adam's two averages of every weight", 3 * trained, self.device, remedy)
        require_of_cell = getattr(self.cell, "require_memory", None)  # a classical cell's state is not worth counting
        if require_of_cell is not None:
            require_of_cell(batch_size, self.device)

    def logged_names(self, validates: bool = True) -> list[str]:
        """Return the names of what a training logs, with or without a validation; a callback may wait for one."""
        truncates, has_target = self.settings.truncates, self.settings.target_error is not None
        names = self._metrics("train").names(truncates=truncates, binds=truncates and has_target)
        names += self.derived(dict.fromkeys(names, torch.ones(())))
        splits = ("train", "val") if validates else ("train",)
        return ["train_loss_step", *(f"{split}_{name}" for split in splits for name in names)]

    def backend_choices(self) -> list[str]:
        """Return what `backend="auto"` chose and why, a sentence for each different choice; none for other backends."""
        backends = [module.backend for module in self.modules() if isinstance(module, OnBackend)]
        return list(dict.fromkeys(backend.choice for backend in backends if backend.choice is not None))

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of trained parameters of embedding, cell and head, and of the whole task."""
        parts = {name: getattr(self, name, None) for name in ("embedding", "cell", "head")}
        counts = {name: trained_parameters(part) if part is not None else 0 for name, part in parts.items()}
        return {**counts, "total": trained_parameters(self)}

    def _of_all_processes(self, loss: Tensor, weight: int) -> tuple[Tensor, float]:
        """Return the mean loss of a batch that several processes share, and how much this part's loss counts in it.

        The processes' gradients are averaged as they are, whatever the parts of the batch weigh; with its loss times
        that number in each, the average is the gradient of the whole batch's mean loss.
        """
        if not connected():
            return loss.detach(), 1
        parts = torch.stack([loss.detach().double() * weight, loss.new_tensor(weight, dtype=torch.double)])
        dist.all_reduce(parts)
        whole, total = parts.tolist()
        return loss.new_tensor(whole / total), weight * self.trainer.world_size / total

    def _nothing(self) -> Tensor:
        """Return a loss of 0 for a part of a batch without targets: the other processes wait for its gradients."""
        return 0 * torch.stack([parameter.sum() for parameter in self.parameters()]).sum()

    def _step(self, batch: Batch, split: str) -> Tensor:
        if self.weight(batch) == 0:
            return self._nothing()
        loss, outputs, state = self.loss(batch, self.initial_state(split))
        self.keep_state(split, state)
        with torch.no_grad():
            scored = self.scored(outputs, batch[1])
            error = getattr(state, "truncation_error", None) if self.settings.truncates else None
            binds = None if self.settings.target_error is None else getattr(state, "max_bond_binds", None)
            self._metrics(split).record(loss, error, binds, *scored, samples=self.weight(batch))
            self._watch_budget(error)
        return loss

    def _outputs(self, batch_inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        x, lengths = self.inputs(batch_inputs)
        z, state = self.cell(x, state, lengths)
        return self.read(self.readouts(z, x, lengths)), state

    def _log_epoch(self, split: str) -> None:
        metrics = self._metrics(split)
        values = metrics.compute()
        values.update(self.derived(values))
        self.log_dict({f"{split}_{name}": value for name, value in values.items()})
        metrics.reset()

    def _metrics(self, split: str) -> SplitMetrics:
        return cast(SplitMetrics, self.split_metrics[f"{split}_metrics"])

    def _watch_budget(self, error: Tensor | None) -> None:
        """Warn or stop where a sequence's truncation error exceeds its budget."""
        budget = self.settings.truncation_budget
        if budget is None or error is None or float(error.max()) <= budget:
            return
        told = (
            f"{type(self).__name__}: the truncation error of a sequence reached {float(error.max()):.2g}, above "
            f"model.truncation_budget {budget:g}; raise model.max_bond (now {self.settings.max_bond}) or the budget."
        )
        if self.settings.over_budget == "stop":
            raise TrainingStopped(told)
        if not self._is_over_budget:
            logging.getLogger("tnqrnn").warning(told)
        self._is_over_budget = True

    def _require_no_quantum_state(self) -> None:
        if any(isinstance(module, QuantumRecurrence) for module in self.cell.modules()):
            raise InvalidInput(
                f"task: a {type(self).__name__} goes on from the state of an earlier call, whose age is not known to "
                "state_depolarising; use depolarising."
            )

    def _require_finite(self, name: str, value: Tensor) -> None:
        if not torch.isfinite(value):
            raise TrainingStopped(
                f"{type(self).__name__}: the {name} became {value.item()} at step {self.global_step}; lower "
                f"model.learning_rate (now {self.settings.learning_rate}) or set trainer.gradient_clip_val.",
                everywhere=True,
            )
