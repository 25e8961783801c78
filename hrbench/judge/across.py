"""Conditions of costs that a comparison may name as meant to differ; apart, since every start reads them."""

ACROSS = ("runtime", "dtype", "threads", "input")
"""What `--across` takes."""
