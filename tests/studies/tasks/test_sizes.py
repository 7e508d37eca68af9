"""The size at which cells come closest, against counts by formula and a search over all widths."""

from __future__ import annotations

import pytest

from lightning_modules.tasks.images.digits import DigitsClassifier
from studies.tasks.sizes import Sizes, width_of

REFERENCE = {"model.cell": "qrnn"}
OTHERS = [{"model.cell": cell} for cell in ("lstm", "gru", "rnn_tanh")]


@pytest.fixture(scope="module")
def sizes() -> Sizes:
    return Sizes(
        DigitsClassifier(input_size=8, output_size=10, sequence_length=8, n_qubits=3, controller_width=16), 0.01
    )


def test_widths_are_the_cells_own() -> None:
    assert [width_of(settings) for settings in (REFERENCE, OTHERS[0], {"model.cell": "qrb"})] == [
        "controller_width", "hidden_size", None
    ]  # fmt: skip


def test_counts_are_those_of_the_formulas(sizes: Sizes) -> None:
    assert sizes.count(OTHERS[0], 7) == 4 * 7 * (7 + 8 + 2)
    assert sizes.count(OTHERS[1], 7) == 3 * 7 * (7 + 8 + 2)
    # Gated linear units: 2 w (f + 1) in, angles (w + 1) out; 8 pixels and 9 readouts are read, 9 angles emitted.
    assert sizes.count(REFERENCE, 16) == 2 * 16 * (8 + 9 + 1) + 9 * (16 + 1)


def test_the_width_is_the_nearest(sizes: Sizes) -> None:
    target = 1000
    counts = {width: sizes.count(OTHERS[0], width) for width in range(1, 30)}
    assert sizes.matching_width(OTHERS[0], target) == min(counts, key=lambda width: abs(counts[width] - target))


def test_the_common_size_has_the_smallest_worst_deviation(sizes: Sizes) -> None:
    def worst(target: int) -> float:
        return max(
            min(abs(sizes.count(other, width) / target - 1) for width in range(1, 60)) for other in OTHERS
        )  # fmt: skip

    candidates = [sizes.count(REFERENCE, width) for width in range(12, 21)]
    found = sizes.common_target(REFERENCE, OTHERS, 16, adjust=0.3)
    assert found in candidates
    assert worst(found) <= min(worst(target) for target in candidates) + 1e-3
    assert worst(found) < worst(sizes.count(REFERENCE, 16))
    assert sizes.common_target(REFERENCE, OTHERS, 16, adjust=0) == sizes.count(REFERENCE, 16)
