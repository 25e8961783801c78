"""Files in object stores: addresses, bounded retries, one small file system over fsspec.

    store = Remote.open("s3://bucket/folder")
    store.get("weights/net.pth", Path("net.pth"))

`mirror` makes a folder of a store readable as a folder of this disk, `cache` bounds what is kept there.
fsspec and what it needs for a store (s3fs, gcsfs, adlfs) are imported by `Remote.open` alone.
"""

from hrbench.core.remote.addresses import SCHEMES, is_url, joined, local_path, redact, scrubbed, split_url
from hrbench.core.remote.file_system import Remote, RemoteFile
from hrbench.core.remote.retries import ATTEMPTS, RetryPolicy

__all__ = [
    "ATTEMPTS",
    "SCHEMES",
    "Remote",
    "RemoteFile",
    "RetryPolicy",
    "is_url",
    "joined",
    "local_path",
    "redact",
    "scrubbed",
    "split_url",
]
