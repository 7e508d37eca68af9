"""What the kernels of both backends are made of.

vectors.py, emitting.py    vectors and complex numbers of all lanes with operators; operations made of them
simd.py, lanes.py    vector instructions for all samples of a tile: rows of numbers, complex matrices
pairs.py, atoms.py   gates as tables of operations on pairs of amplitudes; their matrices and gradients
algebra.py, reflections.py, decomposition.py    products, reflections and singular vectors of small matrices
turns.py, tiles.py   rotations of one qubit; samples into lanes and back
compiling.py         how kernels are compiled; machine_code.py: how they are kept on disk
threads.py           tiles spread over cores; eager.py: kept out of torch.compile
"""
