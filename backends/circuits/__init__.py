"""Circuits as the user writes them: gates, drawing, interchange, and the one pass that fuses gates."""
