"""A study for the tests of the engine: deterministic, in milliseconds, and able to go wrong in every way."""
