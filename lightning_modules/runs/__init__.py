"""A run: its folder, its files, its checkpoints, its processes; leaving and going on."""
