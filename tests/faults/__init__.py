"""Breaking it on purpose, and asking afterwards whether anything was lost: `python -m tests.faults --help`."""
