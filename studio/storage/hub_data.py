"""Data sets that were fetched from a hub: where each lies, and where it came from.

Each is a folder of its own with one Arrow file of rows, which is read like any other
data file, and a note of its origin.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from studio.domain.hub_names import HubName

VERSION: Final = 1
"""Of what a note says; others aren't read."""

_NOTE: Final = "origin.json"
_COMMIT_SHOWN: Final = 12
_LEAST_COMMIT: Final = 7  # letters by which a commit may be named, as git has it


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a data set came from, and what came of it.

    Attributes:
        id: ``owner/name``.
        config: Its configuration.
        split: Its split.
        revision: The commit.
        asked_revision: What was asked for; empty for the newest.
        fetched_at: UTC.
        file: The name of the file of rows.
        rows: How many it has.
        size_bytes: Of that file.
        sha256: Of that file.
        version: `VERSION` of the note.
    """

    id: str
    config: str
    split: str
    revision: str
    asked_revision: str
    fetched_at: datetime
    file: str
    rows: int
    size_bytes: int
    sha256: str
    version: int = VERSION

    def answers(self, name: HubName) -> bool:
        """Whether this is what a name means."""
        asked = name.revision
        by_commit = len(asked) >= _LEAST_COMMIT and self.revision.startswith(asked)
        return (
            self.id.casefold() == name.id.casefold()
            and name.config in {"", self.config}
            and name.split in {"", self.split}
            and (by_commit or asked == self.asked_revision)
        )


@dataclass(frozen=True, slots=True)
class FetchedData:
    """A data set that lies on this machine."""

    folder: Path
    origin: Origin

    @property
    def path(self) -> Path:
        """The file of its rows."""
        return self.folder / self.origin.file


def folder_for(root: Path, name: HubName) -> Path:
    """Where a data set goes that is named in full, its revision a commit."""
    owner, _, own = name.id.partition("/")
    parts = (name.config, name.split, name.revision[:_COMMIT_SHOWN])
    return root / f"{owner}--{own}" / "--".join(parts)


def file_name_for(name: HubName) -> str:
    """The name of a file of rows, such as ``alpaca-train.arrow``."""
    own = name.id.partition("/")[2]
    parts = (own, "" if name.config == "default" else name.config, name.split)
    return "-".join(part.replace(" ", "-") for part in parts if part) + ".arrow"


def write_origin(folder: Path, origin: Origin) -> None:
    """Note where a data set came from.

    Raises:
        OSError: The disk refuses.
    """
    (folder / _NOTE).write_bytes(msgspec.json.format(msgspec.json.encode(origin)))


def origin_of(file: Path) -> Origin | None:
    """Where a data file came from; None when no note beside it tells of it."""
    try:
        origin = msgspec.json.decode((file.parent / _NOTE).read_bytes(), type=Origin)
    except (OSError, msgspec.DecodeError):
        return None
    is_known = origin.version == VERSION and origin.file == file.name
    return origin if is_known else None


def find_fetched(root: Path, name: HubName) -> FetchedData | None:
    """The newest data set that a name means; None when none was fetched.

    Args:
        root: The folder of all of them.
        name: As far as it is named.
    """
    owner, _, own = name.id.partition("/")
    found = []
    for note in sorted(root.glob(f"*--*/*/{_NOTE}")):
        if note.parent.name.startswith("."):
            continue  # half-written
        if note.parent.parent.name.casefold() != f"{owner}--{own}".casefold():
            continue
        for file in note.parent.glob("*.arrow"):
            origin = origin_of(file)
            if origin is not None and origin.answers(name):
                found.append(FetchedData(note.parent, origin))
    return max(found, key=lambda each: each.origin.fetched_at, default=None)
