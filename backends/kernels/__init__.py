"""What the kernels of both backends are made of; `docs/kernels.md` shows how it fits together.

vectors.py, emitting.py    vectors and complex numbers of all lanes, with operators; operations made of them
turns.py, rows.py    2 x 2 matrices on pairs of numbers, sums of pairs; what happens to single rows
algebra.py, reflections.py, decomposition.py    products, reflections and singular vectors of small matrices
tiles.py, tensors.py    samples into lanes and back; torch's tensors as arrays
pairs.py, atoms.py   gates as tables of operations on pairs of amplitudes; their matrices and gradients
naive.py             what every operation must compute, in NumPy
compiling.py         how kernels are compiled; machine_code.py: how they are kept on disk
threads.py, sharing.py    tiles spread over cores; phases of one tile shared; eager.py: kept out of torch.compile
"""
