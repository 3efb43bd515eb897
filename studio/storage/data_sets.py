"""All that a run learns from and is measured by: its data file, and further files."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from studio.domain.data_options import DataOptions
from studio.domain.data_report import DataFinding
from studio.domain.dataset import ChatFile, MixedFile
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding
from studio.domain.mixing import MixError, MixWord, mix_of
from studio.storage.chat_files import KEPT_BYTES, read_chats
from studio.storage.data_digest import digest_of
from studio.storage.data_index import DataIndex
from studio.storage.data_inspection import overlap_with
from studio.storage.data_reading import Choice
from studio.storage.tables.opening import open_table

FIRST_ROWS: Final = 500
"""Of a large file; many screens, and read in a few milliseconds."""


def read_data(data: DataOptions, *, most_rows: int | None = None) -> ChatFile:
    """Read the data file of a recipe, and the files that are mixed in.

    Form and columns of the recipe are for the data file alone; those of a further
    file are recognised.

    Args:
        data: Of the recipe.
        most_rows: Of the data file, for a first look; further files are read whole.

    Returns:
        The data file with the others in `ChatFile.mixed`, and findings about all.

    Raises:
        StudioError: One of them can't be read, or the mix can't be understood.
    """
    understood(data)  # before a long reading
    path = Path(data.path).expanduser()
    file = read_chats(path, Choice.of(data), most_rows=most_rows)

    def both(other: Path) -> DataFinding | None:
        return overlap_with(path, Choice.of(data), other) if file.is_whole else None

    return _with_mixed(data, _with_held_out(data, file, both))


def read_indexed(data: DataOptions, index: DataIndex) -> ChatFile:
    """The same, with the data file's rows where an index says that they are.

    Args:
        data: Of the recipe.
        index: Of its data file as it is now.

    Raises:
        StudioError: One of the files can't be read.
        OSError: The index can't be read.
        ValueError: It is none.
    """
    path = Path(data.path).expanduser()
    file = index.chat_file(path, Choice.of(data))

    def both(_: Path) -> DataFinding | None:
        found = index.report().findings
        return next((each for each in found if each.code == "data.overlap"), None)

    return _with_mixed(data, _with_held_out(data, file, both))


def read_or_look(data: DataOptions) -> ChatFile:
    """A small data file whole, and the first rows of a large one.

    Raises:
        StudioError: As `read_data` has them.
    """
    path = Path(data.path).expanduser()
    is_large = open_table(path).size_bytes > KEPT_BYTES
    return read_data(data, most_rows=FIRST_ROWS if is_large else None)


def _with_mixed(data: DataOptions, file: ChatFile) -> ChatFile:
    mix = understood(data)
    if not mix:
        return file
    mixed = tuple(MixedFile(word, _read(word)) for word in mix)
    found = [
        _named(finding, each.word) for each in mixed for finding in each.file.findings
    ]
    return replace(file, mixed=mixed, findings=(*file.findings, *found))


def _with_held_out(
    data: DataOptions, file: ChatFile, both: Callable[[Path], DataFinding | None]
) -> ChatFile:
    """A data file with the one that is measured with, and what both have in common."""
    if not data.held_out_file:
        return file
    other = Path(data.held_out_file).expanduser()

    def named(finding: Finding) -> Finding:
        what = f"{other.name}, held out: {finding.what}"
        return replace(finding, what=what, where=finding.where or "data.held_out_file")

    try:
        held, overlap = read_chats(other), both(other)
    except StudioError as refused:
        raise StudioError(named(refused.finding), refused.exit_code) from None
    found = [*file.findings, *map(named, held.findings)]
    if overlap is not None:
        found.append(overlap.as_finding("data.held_out_file"))
    return replace(file, held_out_file=held, findings=tuple(found))


def understood(data: DataOptions) -> tuple[MixWord, ...]:
    """The mix of a recipe.

    Raises:
        StudioError: It can't be understood.
    """
    try:
        return mix_of(data.mix)
    except MixError as fault:
        raise refusal(
            "data.mix",
            f"The files to mix in can't be understood: {fault}.",
            fix="Write each as file=share, such as general.jsonl=0.2.",
            where="data.mix",
        ) from None


def digest_of_data(data: DataOptions) -> str:
    """The SHA-256 of all that a run learns from; of a lone file, that of the file.

    Raises:
        OSError: A file can't be read.
        StudioError: A folder holds no data file, or the mix can't be understood.
    """
    mix = understood(data)
    alone = digest_of(Path(data.path))
    if not mix and not data.held_out_file:
        return alone
    whole = hashlib.sha256(f"{alone}\n".encode())
    for each in mix:
        file = digest_of(Path(each.path).expanduser())
        whole.update(f"{each.share:g}\0{file}\n".encode())
    if data.held_out_file:
        held = digest_of(Path(data.held_out_file).expanduser())
        whole.update(f"held out\0{held}\n".encode())
    return whole.hexdigest()


def _read(word: MixWord) -> ChatFile:
    try:
        return read_chats(Path(word.path).expanduser())
    except StudioError as refused:
        finding = _named(refused.finding, word)
        where = finding.where or word.path
        raise StudioError(replace(finding, where=where), refused.exit_code) from None


def _named(finding: Finding, word: MixWord) -> Finding:
    return replace(finding, what=f"{Path(word.path).name}, mixed in: {finding.what}")
