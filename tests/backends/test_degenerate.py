"""Law 6 where derivatives are easily lost: product states, zero angles, GHZ and Bell states, ranks below the bond.

One limit is known and documented in `backends/mps/engine/split.py`: an entangling gate that acts exactly as the
identity (its angle is zero) on a product state, with max_bond < 2**(n // 2), hides the direction into which it would
lead from whatever reads the state beyond its one-qubit readouts. There, only finiteness is tested.
"""

from __future__ import annotations

import pytest
import torch

from backends import Circuit
from tests import oracle
from tests.backends.cases import (
    COMPLETE,
    EXACT,
    FITTING,
    N_QUBITS,
    SEVERAL_SITES,
    STEPS_THAT_FIT,
    TRUNCATING,
    Loss,
    Setting,
    ansatz_circuit,
    expect,
    gradient,
    largest,
    n_gates,
    random_angles,
    random_circuit,
    relative_error,
    run,
    run_oracle,
)
from tests.backends.conftest import Check
from tests.tolerances import GRADIENT, GRADIENT_AMID_NOISE, readout_tolerance

HALVES = Setting("mps", {"max_bond": 8})  # two sites of four qubits: one bond, nothing hidden behind a second one


def rotated(circuit: Circuit, entangler: str) -> Circuit:
    """A layer that makes every readout depend on every direction of the state before it."""
    for qubit in range(circuit.n_qubits):
        circuit.ry(qubit).rz(qubit)
    for qubit in range(circuit.n_qubits - 1):
        circuit.append(entangler, qubit, qubit + 1)
    return circuit


def ghz(n_qubits: int = N_QUBITS) -> Circuit:
    circuit = Circuit(n_qubits).h(0)
    for qubit in range(n_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def bell_pairs(pairs: int, n_qubits: int = N_QUBITS) -> Circuit:
    """Pairs across the middle cut, whose 2**pairs Schmidt values are equal."""
    circuit = Circuit(n_qubits)
    for k in range(pairs):
        left, right = n_qubits // 2 - 1 - k, n_qubits // 2 + k
        circuit.h(left).cx(left, right)
    return circuit


def compare(
    circuit: Circuit,
    setting: Setting,
    dtype: torch.dtype,
    angles: torch.Tensor,
    check: Check,
    state_term: float = 1.0,
    tolerance: float | None = None,
) -> None:
    steps, batch, _ = angles.shape
    loss = Loss.random(circuit.n_qubits, steps, batch, state_term)
    backend = setting.create(circuit, dtype)
    leaf = angles.to(backend.real_dtype).clone().requires_grad_()
    state, z = run(backend, leaf)
    expected = expect(circuit, angles, state_term)
    check(setting, dtype, "readout", largest(z - expected.readouts), readout_tolerance(dtype, n_gates(circuit, steps)))
    error = relative_error(gradient(loss(backend.to_dense(state), z), leaf), expected.gradient)
    check(setting, dtype, "gradient", error, tolerance or GRADIENT[dtype])


@pytest.mark.parametrize("setting", [*COMPLETE, HALVES], ids=str)
@pytest.mark.parametrize("entangler", ["crx", "rxx"])
@pytest.mark.parametrize("steps", [1, 3])
def test_all_angles_zero(
    setting: Setting, dtype: torch.dtype, topology: str, entangler: str, steps: int, check: Check
) -> None:
    circuit = ansatz_circuit(topology, entangler)
    hidden = setting is HALVES and entangler == "rxx"  # the known limit
    state_term = 0.0 if hidden else 1.0
    compare(circuit, setting, dtype, torch.zeros(steps, 2, circuit.n_angles), check, state_term)


@pytest.mark.parametrize("entangler", ["crx", "rxx"])
@pytest.mark.parametrize("steps", [3])
@pytest.mark.parametrize("setting", [*SEVERAL_SITES, TRUNCATING[0]], ids=str)
def test_all_angles_zero_read_out_at_several_sites(
    setting: Setting, dtype: torch.dtype, topology: str, entangler: str, steps: int, check: Check
) -> None:
    circuit = ansatz_circuit(topology, entangler)
    # A CRX whose control is |0> has no derivative at all; an RXX has one that only the state term sees (see above).
    state_term = 1.0 if entangler == "crx" else 0.0
    compare(circuit, setting, dtype, torch.zeros(steps, 2, circuit.n_angles), check, state_term)


@pytest.mark.parametrize("setting", [*EXACT, HALVES], ids=str)
@pytest.mark.parametrize("entangler", ["crx", "rxx"])
@pytest.mark.parametrize("scale", [0.0, 3.0])
def test_ghz(setting: Setting, dtype: torch.dtype, entangler: str, scale: float, check: Check) -> None:
    circuit = rotated(ghz(), entangler)
    hidden = setting in (*SEVERAL_SITES, HALVES) and entangler == "rxx" and scale == 0  # the known limit
    state_term = 0.0 if hidden else 1.0
    compare(circuit, setting, dtype, random_angles(circuit, 1, 2, scale=scale), check, state_term)


@pytest.mark.parametrize("setting", [*EXACT, HALVES], ids=str)
@pytest.mark.parametrize("scale", [0.0, 3.0])
def test_equal_schmidt_values(setting: Setting, dtype: torch.dtype, scale: float, check: Check) -> None:
    """One Bell pair, and a layer of CRX on top: rank 4 of equal pairs at the middle cut."""
    circuit = rotated(bell_pairs(1), "crx")
    # The control of a CRX of angle zero is half of a pair there, and its target a product state: the known limit.
    state_term = 0.0 if setting in SEVERAL_SITES and scale == 0 else 1.0
    compare(circuit, setting, dtype, random_angles(circuit, 1, 2, scale=scale), check, state_term)


@pytest.mark.parametrize("setting", [*EXACT, HALVES], ids=str)
def test_product_states(setting: Setting, dtype: torch.dtype, check: Check) -> None:
    """Every Schmidt spectrum is 1, 0, 0, ... before the last layer."""
    circuit = Circuit(N_QUBITS)
    for qubit in range(N_QUBITS):
        circuit.u3(qubit)
    circuit = rotated(circuit, "crx")
    compare(circuit, setting, dtype, random_angles(circuit, 1, 2), check)


@pytest.mark.parametrize("cutoff", [0.0, 1e-3])
@pytest.mark.parametrize("pairs", [2, 4])
@pytest.mark.parametrize("max_bond", [1, 3, 5])
def test_cutting_inside_a_multiplet_stays_finite(max_bond: int, pairs: int, cutoff: float, dtype: torch.dtype) -> None:
    """Which of the equal Schmidt values go is a matter of rounding; the loss is not differentiable there."""
    circuit = rotated(bell_pairs(pairs), "rxx")
    backend = Setting("mps", {"max_bond": max_bond, "truncation_cutoff": cutoff}).create(circuit, dtype)
    for scale in (0.0, 1.0):
        leaf = random_angles(circuit, 2, 2, scale=scale).to(backend.real_dtype).requires_grad_()
        state, z = run(backend, leaf)
        assert torch.isfinite(z).all()
        found = gradient(z.square().sum() + backend.expectation(state, "ZXZXZXZX").sum(), leaf)
        assert torch.isfinite(found).all()


@pytest.mark.parametrize("topology", ["chain", "brickwork"])
def test_rank_below_the_bond_in_single_precision(topology: str, check: Check) -> None:
    """Kept Schmidt values of noise, down to 1e-30, beside discarded ones: finite, and exact, for every seed."""
    circuit = ansatz_circuit(topology)
    for seed in range(12):
        angles = random_angles(circuit, 2, 2, seed)
        compare(circuit, FITTING, torch.complex64, angles, check, tolerance=GRADIENT_AMID_NOISE[torch.complex64])


def test_tiny_columns_survive_a_qr() -> None:
    """LAPACK's QR of a single precision matrix with a column of norm 1e-26 (its square underflows) may be NaN."""
    from backends.mps.engine.split import move_left, move_right

    centre = torch.zeros(1, 8, 4, dtype=torch.complex64)
    centre[0, :4, 0] = torch.tensor([0.43, 0.42 + 0.79j, 0.076, 0.017])
    centre[0, 5, 0], centre[0, 7, 0] = -3.5827e-16, 3.2918e-31
    centre[0, 4, 1], centre[0, 6, 1] = -7.9947e-09 - 5.3456e-09j, -1.0426e-23 - 3.8988e-24j
    centre[0, 6, 2], centre[0, 6, 3] = -1.8447e-16 + 1.7621e-17j, -2.7548e-26j
    neighbour = torch.eye(4, 8, dtype=torch.complex64)[None]
    for isometry, moved in (move_right(centre, neighbour), move_left(neighbour.mT, centre.mT)[::-1]):
        assert torch.isfinite(torch.view_as_real(isometry.resolve_conj())).all()
        assert torch.isfinite(torch.view_as_real(moved.resolve_conj())).all()


@pytest.mark.parametrize("max_bond", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e-3, 1e-5, 1e-6, 1e-8])
def test_tiny_angles_in_single_precision(scale: float, max_bond: int, topology: str) -> None:
    """How training starts: Schmidt values of products of small angles, 1e-20 and less, whose squares underflow."""
    circuit = ansatz_circuit(topology)
    backend = Setting("mps", {"max_bond": max_bond}).create(circuit, torch.complex64)
    for seed in range(2):
        leaf = random_angles(circuit, 2, 2, seed, scale).float().requires_grad_()
        state, z = run(backend, leaf)
        assert torch.isfinite(z).all()
        found = gradient(z.square().sum() + backend.expectation(state, "ZXZXZXZX").sum(), leaf)
        assert torch.isfinite(found).all()


@pytest.mark.parametrize(("seed", "max_bond"), [(1, 2), (1, 3), (3, 2), (8, 2), (8, 5)])
def test_noise_of_noise_stays_finite(seed: int, max_bond: int, dtype: torch.dtype) -> None:
    """A Schmidt value of rounding size is squared by every further gate: 1e-16, 1e-32, ... 1e-260 after two timesteps.

    LAPACK's QR and SVD turn NaN, or never end, where squares of such numbers underflow, in double precision too.
    """
    circuit = random_circuit(N_QUBITS, 30, seed)
    backend = Setting("mps", {"max_bond": max_bond}).create(circuit, dtype)
    angles = torch.cat([random_angles(circuit, 2, 1, sample, scale=1.0) for sample in range(96)], 1)
    leaf = angles.to(backend.real_dtype).requires_grad_()
    _, z = run(backend, leaf)
    assert torch.isfinite(z).all()
    assert torch.isfinite(gradient(z.sum(), leaf)).all()


@pytest.mark.parametrize("scale", [1e-2, 1e-8])
@pytest.mark.parametrize("entangler", ["crx", "rxx"])
def test_small_angles(scale: float, entangler: str, dtype: torch.dtype, topology: str, check: Check) -> None:
    """Between product states and generic ones. The readouts alone: see the limit above for angles of rounding size."""
    circuit = ansatz_circuit(topology, entangler)
    angles = random_angles(circuit, STEPS_THAT_FIT[topology], 2, scale=scale)
    for setting in (COMPLETE[0], *SEVERAL_SITES):
        compare(circuit, setting, dtype, angles, check, state_term=0.0)


@pytest.mark.parametrize("entangler", ["crx", "rxx"])
@pytest.mark.parametrize("setting", [*EXACT, *TRUNCATING], ids=str)
def test_first_zero_then_anything_stays_finite(setting: Setting, entangler: str, dtype: torch.dtype) -> None:
    """The known limit itself: identity gates on a product state that later timesteps entangle."""
    circuit = ansatz_circuit("ring", entangler)
    backend = setting.create(circuit, dtype)
    angles = torch.cat([torch.zeros(1, 2, circuit.n_angles), random_angles(circuit, 2, 2)])
    leaf = angles.to(backend.real_dtype).requires_grad_()
    state, z = run(backend, leaf)
    found = gradient(z.square().sum() + backend.expectation(state, "ZXZXZXZX").sum(), leaf)
    assert torch.isfinite(found).all()
    assert largest(found) < 1e3


def test_the_spectra_are_what_the_names_say() -> None:
    none = torch.zeros(1, 1, 0)
    middle = N_QUBITS // 2 - 1
    for circuit, cut, entropy in ((ghz(), 0, 1), (ghz(), middle, 1), (bell_pairs(3), middle, 3)):
        psi, _ = run_oracle(circuit, none)
        assert float(oracle.entropies(psi)[0, cut]) == pytest.approx(entropy * torch.log(torch.tensor(2.0)).item())
