"""The compiled kernel and the planned contraction are two computations of one thing; so are both kinds of gradient."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from backends import Circuit, InvalidInput, create_backend
from backends.statevector import spreading
from backends.statevector.compiled import compiled_step
from backends.statevector.program import compile_gates
from tests.backends.cases import random_angles, random_circuit, random_states, random_unitary
from tests.tolerances import EPS

ROOT = Path(__file__).resolve().parents[3]


def everything(circuit: Circuit, batch: int, dtype: torch.dtype, **options: Any) -> list[Tensor]:
    """Readouts, final state, and the gradients in angles and initial state of a loss on all of them."""
    backend = create_backend("statevector", circuit, dtype=dtype, **options)
    angles = random_angles(circuit, 3, batch).to(backend.real_dtype).requires_grad_()
    start = random_states(circuit.n_qubits, batch).to(dtype).requires_grad_()
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(3, batch, 3 * circuit.n_qubits, generator=generator, dtype=torch.float64).to(angles.dtype)
    target = random_states(circuit.n_qubits, batch, seed=1).to(dtype)
    state, readouts = backend.from_dense(start), []
    for step in angles:
        state, z = backend.step(state, step)
        readouts.append(z)
    z = torch.stack(readouts)
    loss = (z * weights).sum() + (state.amplitudes * target.conj()).sum().abs()
    return [z.detach(), state.amplitudes.detach(), *torch.autograd.grad(loss, (angles, start))]


def circuit_of_everything(n_qubits: int) -> Circuit:
    circuit = random_circuit(n_qubits, 60, seed=n_qubits)
    if n_qubits > 1:
        circuit.unitary(random_unitary(4, 3), n_qubits - 1, 0).unitary(random_unitary(2, 4), 1)
    return circuit.u3(0)


# 1 and 7 qubits run in one pass, 8 and 10 in blocks; 3 samples leave a tile half empty, 17 need three tiles.
@pytest.mark.parametrize("n_qubits", [1, 2, 5, 7, 8, 10])
@pytest.mark.parametrize("batch", [1, 3, 8, 17])
def test_engines_agree(n_qubits: int, batch: int, dtype: torch.dtype) -> None:
    circuit = circuit_of_everything(n_qubits)
    kernel, contraction = (everything(circuit, batch, dtype, engine=engine) for engine in ("kernel", "contraction"))
    for ours, theirs in zip(kernel, contraction, strict=True):
        assert float((ours - theirs).abs().max()) <= 64 * EPS[dtype] * len(circuit) ** 0.5 * (
            1 + float(theirs.abs().max())
        )


@pytest.mark.parametrize("n_qubits", [4, 10])
@pytest.mark.parametrize("gates", [[], [("h", 2)], [("h", 3), ("cx", 3, 1)]])
def test_engines_agree_where_gates_leave_qubits_out(n_qubits: int, gates: list[tuple[Any, ...]]) -> None:
    circuit = Circuit(n_qubits)
    for name, *qubits in gates:
        circuit.append(name, *qubits)
    start, results = random_states(n_qubits, 3), []
    for engine in ("kernel", "contraction"):
        backend = create_backend("statevector", circuit, engine=engine, dtype=torch.complex128)
        state, z = backend.step(backend.from_dense(start), torch.zeros(3, 0, dtype=torch.float64))
        results.append((backend.to_dense(state), z))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    assert "one timestep" in str(backend.contraction_plan(3))  # type: ignore[attr-defined]


@pytest.mark.parametrize("n_qubits", [5, 9])
def test_reversible_gradient_is_the_stored_one(n_qubits: int) -> None:
    circuit = circuit_of_everything(n_qubits)
    stored, reversible = (everything(circuit, 5, torch.complex128, gradient=kind) for kind in ("stored", "reversible"))
    for ours, theirs in zip(reversible, stored, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_reversible_gradient_when_later_steps_do_not_matter() -> None:
    """The loss looks at the second of four timesteps: its state is recovered through steps that have no backward."""
    circuit = random_circuit(6, 20, seed=1)
    gradients = []
    for kind in ("stored", "reversible"):
        backend = create_backend("statevector", circuit, dtype=torch.complex128, gradient=kind)
        angles = random_angles(circuit, 4, 2).requires_grad_()
        state, losses = backend.initial_state(2), []
        for step in angles:
            state, z = backend.step(state, step)
            losses.append(z.square().sum())
        # Twice, as with retain_graph.
        gradients += [torch.autograd.grad(losses[1], angles, retain_graph=True)[0] for _ in range(2)]
        gradients += [torch.autograd.grad(losses[3], angles, retain_graph=True)[0]]
    for stored, reversible in zip(gradients[:3], gradients[3:], strict=True):
        torch.testing.assert_close(reversible, stored, rtol=0, atol=1e-12)


def test_reversible_keeps_one_state_alive() -> None:
    """Sixteen timesteps hold as many amplitudes as one."""
    circuit = Circuit(10).ry(0).crx(0, 9)
    backend = create_backend("statevector", circuit, gradient="reversible")
    state, moments, total = backend.initial_state(4), [], torch.zeros(())
    for step in torch.ones(16, 4, 2, requires_grad=True):
        state, z = backend.step(state, step)
        moments.append(state.moment)
        total = total + z.sum()
    assert [moment.amplitudes is not None for moment in moments] == [False] * 15 + [True]
    total.backward()
    assert sum(moment.amplitudes is not None for moment in moments) == 1


def test_reversible_drift_over_many_steps() -> None:
    """In single precision over 100 timesteps the gradient stays within 1e-5 of double precision."""
    circuit = Circuit(6)
    for _ in range(2):
        for qubit in range(6):
            circuit.ry(qubit).rz(qubit).crx(qubit, (qubit + 1) % 6)
    gradients = []
    for dtype, kind in ((torch.complex64, "reversible"), (torch.complex128, "stored")):
        backend = create_backend("statevector", circuit, dtype=dtype, gradient=kind)
        angles = random_angles(circuit, 100, 4).to(backend.real_dtype).requires_grad_()
        state, total = backend.initial_state(4), torch.zeros((), dtype=backend.real_dtype)
        for step in angles:
            state, z = backend.step(state, step)
            total = total + (z * torch.linspace(-1, 1, 18, dtype=z.dtype)).sum()
        gradients.append(torch.autograd.grad(total, angles)[0].double())
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) <= 1e-5


@pytest.mark.parametrize("width", [2, 3, 5, 8])
def test_any_width_of_the_passes_gives_the_same(width: int) -> None:
    circuit = circuit_of_everything(9)
    angles = random_angles(circuit, 1, 3)[0].requires_grad_()
    start = random_states(9, 3).requires_grad_()
    weights = torch.linspace(-1, 1, 27, dtype=torch.float64)
    results = []
    for chosen in (width, 9):
        out, z = compiled_step(start, angles, compile_gates(9, circuit.gates, chosen))
        loss = (z * weights).sum() + (out * random_states(9, 3, seed=1)).sum().abs()
        results.append((out, z, *torch.autograd.grad(loss, (start, angles))))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)


def test_one_thread_and_several_give_the_same() -> None:
    circuit = circuit_of_everything(10)
    results = [with_threads(count, lambda: everything(circuit, 40, torch.complex64)) for count in (1, 2, 3)]
    for result in results[1:]:  # the loss is torch's, and its sums differ in the last bit with the number of threads
        for ours, first in zip(result, results[0], strict=True):
            torch.testing.assert_close(ours, first, rtol=0, atol=1e-4)


@pytest.mark.parametrize("n_qubits", [2, 9, 10])
def test_threads_that_share_a_tile_give_the_same(n_qubits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for large states of few samples; here asked for at sizes that would not be worth it."""
    circuit = circuit_of_everything(n_qubits)
    alone = everything(circuit, 11, torch.complex128)
    monkeypatch.setattr(spreading, "_WORTH_SHARING", 1)
    shared = with_threads(5, lambda: everything(circuit, 11, torch.complex128))
    for ours, theirs in zip(shared, alone, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_pages_of_states_that_live_are_not_used_again() -> None:
    """States of 1 MiB and more get mapped pages, which later states use again: but only when nobody holds them."""
    circuit = circuit_of_everything(13)
    backend = create_backend("statevector", circuit)
    angles = random_angles(circuit, 6, 16).float()
    state = backend.initial_state(16)
    states = []
    for step in angles:
        state = backend.step(state, step)[0]
        states.append(state)
        backend.step(state, step)  # dropped at once
    copies = [kept.amplitudes.clone() for kept in states]
    del states[1::2]
    for step in angles:
        state = backend.step(state, step)[0]
    assert all(torch.equal(kept.amplitudes, copy) for kept, copy in zip(states, copies[::2], strict=True))
    again = backend.initial_state(16)
    for step, copy in zip(angles, copies, strict=True):
        again = backend.step(again, step)[0]
        assert torch.equal(again.amplitudes, copy)


def with_threads(count: int, work: Callable[[], list[Tensor]]) -> list[Tensor]:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count)
        return work()
    finally:
        torch.set_num_threads(before)


def test_kernel_in_a_thread_and_after_a_fork() -> None:
    circuit = circuit_of_everything(10)
    here = everything(circuit, 40, torch.complex64)
    elsewhere: list[list[Tensor]] = []
    thread = threading.Thread(target=lambda: elsewhere.append(everything(circuit, 40, torch.complex64)))
    thread.start()
    thread.join()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(elsewhere[0], here, strict=True))
    script = (
        "import os, torch; from backends import Circuit, create_backend; torch.set_num_threads(2)\n"
        "b = create_backend('statevector', Circuit(12).ry(0).crx(0, 11)); a = torch.ones(64, 2)\n"
        "def z(): return b.step(b.initial_state(64), a)[1]\n"
        "first = z(); child = os.fork()\n"
        "if child == 0: torch.set_num_threads(1)\n"  # as a worker of a DataLoader does; torch itself hangs otherwise
        "if child == 0: os._exit(0 if torch.equal(z(), first) else 1)\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "raise SystemExit(code or not torch.equal(z(), first))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=100)


@pytest.mark.slow
def test_kernel_without_a_folder_for_its_cache(tmp_path: Path) -> None:
    """Compiles anew each time, says so, and works."""
    (tmp_path / "file").touch()
    script = (
        "import torch; from backends import Circuit, create_backend\n"
        "b = create_backend('statevector', Circuit(2).ry(0).crx(0, 1))\n"
        "print(b.step(b.initial_state(1), torch.ones(1, 2))[1])"
    )
    environment = {**os.environ, "TNQRNN_CACHE": str(tmp_path / "file" / "below")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "tensor" in done.stdout
    assert done.stderr.count("compiling the statevector kernel") == 1
    assert "cannot be written; set TNQRNN_CACHE" in done.stderr


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match=r"unknown engine 'kernal'. Did you mean 'kernel'"):
        create_backend("statevector", Circuit(2).ry(0), engine="kernal")
    with pytest.raises(InvalidInput, match=r"unknown gradient 'reverse'. Did you mean 'reversible'"):
        create_backend("statevector", Circuit(2).ry(0), gradient="reverse")
    with pytest.raises(InvalidInput, match="needs the kernel"):
        create_backend("statevector", Circuit(2).ry(0), gradient="reversible", engine="contraction")


def test_the_plan_of_a_step_can_be_printed() -> None:
    text = str(create_backend("statevector", Circuit(4).ry(0).crx(0, 1).crx(2, 3)).contraction_plan(8))
    for part in ("multiply-adds", "largest intermediate", "fewer than in the order given"):
        assert part in text
