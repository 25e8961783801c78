"""The version of hrbench, in one place: the build, `--version` and every stored result read it here."""

__version__ = "0.2.0"
