"""Batches that can be resumed, data sets of the hub or of local folders, vocabularies."""

from tnqrnn.extras import require_extra

require_extra("train", "lightning_modules")
