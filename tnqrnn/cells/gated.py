"""The recurrent networks that torch ships: Elman's RNN, LSTM and GRU, one layer, one direction."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from backends.errors import require_choice
from tnqrnn.room import require_room
from tnqrnn.sequences import SequenceNetwork
from tnqrnn.settings import SIZE, CellSettings
from tnqrnn.states import CellState, require_state

KINDS: dict[str, tuple[type[nn.RNNBase], dict[str, Any]]] = {
    "rnn_tanh": (nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
}


class GatedRNN(SequenceNetwork):
    """torch.nn.RNN, LSTM or GRU with the interface of `QRNN`: `(x, state, lengths) -> (z, state)`.

    Arguments: `input_size` features per timestep, and of `CellSettings` `cell` "rnn_tanh", "rnn_relu", "lstm" or "gru";
    `hidden_size` units, which are also the readouts; `dropout` of the readouts that leave the cell, not of those that
    it feeds back. Raises InvalidInput on settings that cannot work.
    """

    uses = SIZE | {"hidden_size"}

    def __init__(self, input_size: int, settings: CellSettings) -> None:
        kind, hidden_size = require_choice("GatedRNN", "cell", settings.cell, KINDS), settings.units
        super().__init__(kind, input_size, hidden_size, settings.dropout)
        self.kind = kind
        require_room(kind, hidden_size * (input_size + hidden_size), "Use a smaller hidden_size, or fewer qubits.")
        network, options = KINDS[kind]
        self.network = network(input_size=input_size, hidden_size=hidden_size, batch_first=True, **options)

    def through_time(self, x: Tensor, state: CellState | None, lengths: Tensor | None) -> tuple[Tensor, CellState]:
        start = self._unwrap(state, x)
        # Not in half precision on a CPU: oneDNN has no such LSTM on many processors, and torch asks it all the same.
        with torch.autocast("cpu", enabled=False):
            if lengths is None:
                z, last = self.network(x, start)
            else:
                packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
                steps, last = self.network(packed, start)
                z, _ = pad_packed_sequence(steps, batch_first=True, total_length=x.shape[1])
        return z, self._wrap(last).to(x.dtype)

    def _unwrap(self, state: CellState | None, x: Tensor) -> Any:
        """Return the state in torch's form: (1, batch, hidden_size), or a pair of them for an LSTM."""
        if state is None:
            return None
        sizes = [self.output_size] * (2 if self.kind == "lstm" else 1)
        layers = tuple(tensor[None] for tensor in require_state(self.kind, state, sizes, len(x), x).tensors)
        return layers if self.kind == "lstm" else layers[0]

    def _wrap(self, last: Any) -> CellState:
        return CellState(tuple(layer[0] for layer in (last if self.kind == "lstm" else (last,))))
