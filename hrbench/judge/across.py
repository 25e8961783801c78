"""Conditions of costs that a comparison may name as meant to differ; apart, since every start of a command reads them."""

ACROSS = ("runtime", "dtype", "threads", "input")
"""What `--across` takes."""
