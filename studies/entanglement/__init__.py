"""The hidden state made visible: entanglement, Schmidt spectra and readouts, over time and over training."""
