"""The command line: commands, settings, refusals."""
