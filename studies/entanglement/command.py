"""`tnqrnn study entanglement`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from studies.engine.study import Study
from studies.entanglement.figures import figures
from studies.entanglement.measure import measure, price

_OF_A_TRAINING = ("config", "n_qubits", "epochs", "flags")


def normalise(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings; with a checkpoint, its content is what counts, and nothing of a training."""
    path = settings["checkpoint"]
    if path is None:
        return settings
    file = Path(str(path)).resolve()
    digest = sha256(file.read_bytes()).hexdigest() if file.is_file() else None  # refused when it is priced
    return {
        **settings,
        **dict.fromkeys(_OF_A_TRAINING),
        "checkpoint": str(file),
        "checkpoint_sha256": digest,
    }


class _Entanglement(Study):
    def main(self, argv: Sequence[str]) -> int:
        """Run the command and return its exit code; a checkpoint has one seed, that of its own training."""
        flags = {argument.partition("=")[0] for argument in argv}
        one_seed = "--checkpoint" in flags and "--seeds" not in flags
        return super().main([*argv, *(["--seeds", "0"] if one_seed else [])])


STUDY = _Entanglement(
    "entanglement",
    "what the hidden state does while a model reads, and while it learns",
    measure,
    price,
    figures,
    normalise=normalise,
)
