"""Positive or negative."""
