"""How cost and accuracy of both backends grow with qubits and bond dimension."""
