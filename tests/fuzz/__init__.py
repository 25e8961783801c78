"""A fuzzer of everything that hrbench reads: `python -m tests.fuzz --help`."""
