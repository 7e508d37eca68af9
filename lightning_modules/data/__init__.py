"""Batches that can be resumed, data sets of the hub or of local folders, vocabularies."""
