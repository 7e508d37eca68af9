"""What is seen of the hidden state while a model reads sequences: entropies, Schmidt values, readouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from backends import State
from backends.errors import InvalidInput
from lightning_modules.data.loaders import SequenceData
from lightning_modules.tasks.task import SequenceTask
from studies.compare.measure import closed_loop
from studies.evaluation import features
from tnqrnn import QRNN, QRNNCell
from tnqrnn.encoder_decoder import EncoderDecoder

WHO = "study entanglement"


@dataclass(frozen=True)
class Observed:
    """A batch read by a QRNN of n qubits, T timesteps; NaN where a sequence has ended.

    `entropy` (batch, T, n - 1) in nats; `spectrum` (batch, T, rank): squared Schmidt values of the middle cut, largest
    first; `readouts` (batch, T, 3 n).
    """

    entropy: Tensor
    spectrum: Tensor
    readouts: Tensor


def watched_cell(model: SequenceTask) -> QRNNCell:
    """Return the cell that is watched: the model's QRNN, a translator's encoder.

    Raises:
        InvalidInput: The model has another cell, whose state is not one of qubits, or too few of them.
    """
    network = model.cell.encoder if isinstance(model.cell, EncoderDecoder) else model.cell
    if not isinstance(network, QRNN):
        raise InvalidInput(
            f"{WHO}: the run has a cell {model.hparams['cell']!r}; what is watched is the quantum state of a qrnn."
        )
    if network.backend.n_qubits < 2:
        raise InvalidInput(f"{WHO}: one qubit has nothing to be entangled with; use a run with at least two.")
    return network.cell


@torch.no_grad()
def observe(model: SequenceTask, batch_inputs: Tensor) -> Observed:
    """Read a batch's inputs, the readouts going back into the controller, without noise and dropout."""
    cell, was_training = watched_cell(model), model.training
    model.eval()
    x, lengths = features(model, batch_inputs)
    run = closed_loop(cell, x)
    model.train(was_training)
    entropy = torch.stack([cell.backend.entanglement_entropy(state) for state in run.states], 1)
    spectrum = torch.stack([_middle_spectrum(cell, state) for state in run.states], 1)
    readouts = run.readouts.transpose(0, 1).clone()
    if lengths is not None:
        ended = torch.arange(x.shape[1])[None, :] >= lengths[:, None]
        for values in (entropy, spectrum, readouts):
            values[ended] = torch.nan
    return Observed(entropy, spectrum, readouts)


def _middle_spectrum(cell: QRNNCell, state: State) -> Tensor:
    """Squared Schmidt values of the middle cut, (batch, 2^(n / 2)), zeros where a bond holds fewer."""
    n = cell.backend.n_qubits
    values = cell.backend.schmidt_values(state)[n // 2 - 1].square()
    missing = 2 ** (n // 2) - values.shape[1]
    return torch.nn.functional.pad(values, (0, max(0, missing)))[:, : 2 ** (n // 2)]


def time_labels(model: SequenceTask, data: SequenceData, batch_inputs: Tensor) -> list[list[str]]:
    """Return what is read at every timestep in words, by sequence; empty lists where it is numbers (pixels)."""
    if not batch_inputs.is_floating_point():
        vocabulary: Any = getattr(data, "source_vocabulary", None) or getattr(data, "vocabulary", None)
        # `decode` leaves special tokens out: they have no text.
        return [["".join(vocabulary.decode([number])) for number in row] for row in batch_inputs.tolist()]
    one_hot = bool(((batch_inputs == 0) | (batch_inputs == 1)).all()) and bool((batch_inputs.sum(-1) == 1).all())
    if one_hot:
        return [[str(symbol) for symbol in row] for row in batch_inputs.argmax(-1).tolist()]
    return [[] for _ in batch_inputs]
