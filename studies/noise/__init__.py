"""What noise costs a task: a finite number of shots, a register that depolarises, errors of the measurement."""
