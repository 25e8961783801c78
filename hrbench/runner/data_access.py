"""Properties of a data set before anything is read: what is it, is it to be generated, does a server score?"""

from __future__ import annotations

from pathlib import Path

from hrbench.contracts import DataSet, HasFolder, Submits
from hrbench.core.limit import limited
from hrbench.core.plugins import construct, resolve
from hrbench.core.remote import mirror
from hrbench.errors import EntryError, UsageError
from hrbench.runner.settings import Settings
from hrbench.types import DatasetRow, Entry


def dataset_of(row: DatasetRow, data: Path) -> DataSet:
    """A data set below the folder `data`; if that is at an address, names and sizes of all its files are known then.

    Raises UsageError that names settings which it cannot take, StorageError if its folder cannot be listed.
    """
    use = resolve("hrbench.datasets", row.use)
    dataset = construct(use, row.use, data, **row.args)
    if mirror.address_of(data) is None:
        return dataset
    mirror.listed(dataset.folder if isinstance(dataset, HasFolder) else data)
    return construct(use, row.use, data, **row.args)  # what is made of a folder may depend on what is in it


def refuse_addresses_offline(settings: Settings) -> None:
    """Raises UsageError if nothing may use the network, and data or weights are at an address."""
    for option, folder in (("data", settings.data), ("weights", settings.weights)):
        if settings.offline and (address := mirror.address_of(folder)) is not None:
            raise UsageError(
                f"{option}: {address} needs the network, which offline forbids; name a folder of this disk"
            )


def fetch_images(entry: Entry, dataset: DataSet, data: Path) -> None:
    """Fetches the images that a network will predict on, if the data are at an address; else nothing is read.

    Raises StorageError for an image that cannot be fetched, UsageError if the cache is too small for them.
    """
    if mirror.address_of(data) is not None:
        mirror.present(sample.path for sample in limited(list(dataset.samples(entry.protocol)), entry.limit))


def absent_folder(row: DatasetRow, dataset: DataSet) -> Path | None:
    """The folder in which a data set is still to be generated; None if it exists, or is not a generated one.

    Raises EntryError if the row names a generator and the data set has no `folder`.
    """
    if not row.draw:
        return None
    if not isinstance(dataset, HasFolder):
        raise EntryError(f"{row.use} lacks folder, in which {row.name} is generated: see contracts.HasFolder")
    return None if dataset.folder.is_dir() else dataset.folder


def generate_absent(row: DatasetRow, dataset: DataSet) -> None:
    """Generates a data set that is not there yet; does nothing for any other."""
    folder = absent_folder(row, dataset)
    if folder is not None:
        resolve("hrbench.datasets", row.draw)(folder)


def server_of(dataset: DataSet) -> str:
    """Which server scores predictions, in a sentence; "" if the ground truth is public."""
    return dataset.server if isinstance(dataset, Submits) else ""
