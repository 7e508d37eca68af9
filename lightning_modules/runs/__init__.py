"""A run: its folder, its files, its checkpoints, its processes; leaving and going on."""

from tnqrnn.extras import require_extra

require_extra("train", "lightning_modules")
