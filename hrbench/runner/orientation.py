"""How the photographs of a data set are oriented: refused, or told, before a network sees them."""

from __future__ import annotations

from collections.abc import Sequence

from hrbench.core.remote import mirror
from hrbench.errors import InputError
from hrbench.formats.orientation import sentence, turned_files
from hrbench.types import Sample


def orientation_note(samples: Sequence[Sample]) -> str:
    """What becomes of pictures whose EXIF orientation is not 1, in a sentence for the result; "" if there are none.

    Files are looked at, their headers alone, if the data set does not say what its annotations belong to, or that they
    belong to turned pictures. Of sets that are read as stored no file is opened for it.

    Raises InputError if there are such files and the data set does not say.
    """
    found = orientation_sentence([sample for sample in samples if sample.orientation != "stored"])
    if found and any(not sample.orientation for sample in samples):
        raise InputError(found)
    return found


def orientation_sentence(samples: Sequence[Sample]) -> str:
    """How many of the samples' pictures have an EXIF orientation other than 1, and what that means; "" if none has."""
    if not samples:
        return ""
    mirror.present(sample.path for sample in samples)
    return sentence(turned_files([sample.path for sample in samples]), len(samples), samples[0].orientation)
