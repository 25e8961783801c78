"""The compiled helper: C sources, the loader of the library that is built of them, and checked calls into it.

It is optional. Where it is not, the NumPy code beside each caller computes the same bits.
"""
