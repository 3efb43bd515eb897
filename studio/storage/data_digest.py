"""What a data file or folder holds, as one number: the fingerprint of a run's data."""

import hashlib
from pathlib import Path

from studio.storage.tables.opening import Folder, open_table


def digest_of(path: Path) -> str:
    """The SHA-256 of a file; of a folder, that of its data files' names and digests.

    Raises:
        OSError: It can't be read.
        StudioError: The folder holds no data file.
    """
    if not path.is_dir():
        return sha256_of(path)
    whole = hashlib.sha256()
    folder = open_table(path)
    for file in folder.files if isinstance(folder, Folder) else ():
        name = file.path.relative_to(path).as_posix()
        whole.update(f"{name}\0{sha256_of(file.path)}\n".encode())
    return whole.hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of one file.

    Raises:
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
