"""Training tasks of tnqrnn: one LightningModule per head, one LightningDataModule per data set, and the command line.

Rooms, of which each imports those above it only:

data/      batches that can be resumed in the middle of an epoch, data sets of the hub or of local folders, vocabularies
runs/      a run: its folder and files, checkpoints, processes, progress; leaving and going on; why one stops
tasks/     a folder per task: copying, images, sentiment, language modelling, translation; task.py is what they share
cli/       the command line: its commands, settings, and one sentence for each that cannot be used
configs/   the shipped configurations
"""

from __future__ import annotations
