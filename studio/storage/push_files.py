"""What of an exported artefact goes up to a hub, and what is known of its proof.

Only kinds of files go up that an artefact consists of and that can't run code; each is
looked into, so that a pickle under another name is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from studio.domain.errors import StudioError, refusal
from studio.storage.artefacts import ORIGIN, read_origin
from studio.storage.certificates import read_certificate
from studio.storage.checkpoint_folders import MANIFEST
from studio.storage.disk import unreadable
from studio.storage.run_directory import RunDirectory
from studio.storage.safetensors_headers import read_header

CARD: Final = "README.md"
SAFETENSORS, GGUF = ".safetensors", ".gguf"
WEIGHTS: Final = frozenset({SAFETENSORS, GGUF})
_TEXTS: Final = frozenset({".json", ".jinja", ".model", ".txt", ".md", ".svg", ".html"})
_NAMES: Final = frozenset({"Modelfile", "LICENSE", "LICENCE", "NOTICE"})
_ADAPTER_CONFIG: Final = "adapter_config.json"
_CONFIG: Final = "config.json"
_CERTIFICATE: Final = "parity.json"
_HEAD_BYTES: Final = 4
_PICKLE: Final = 0x80
_PROTOCOLS: Final = range(2, 6)


class Kind(StrEnum):
    """What an artefact is, in words that follow "the"."""

    ADAPTER = "adapter"
    MERGED = "merged model"
    WHOLE = "trained model"
    OTHER = "converted model"

    @property
    def is_loaded_as_model(self) -> bool:
        """Whether its files are those of a model as transformers reads it."""
        return self in {Kind.MERGED, Kind.WHOLE}


class Proof(StrEnum):
    """What is known of whether an artefact says what was trained."""

    NOT_NEEDED = "not needed"
    PROVEN = "proven"
    DIFFERS = "differs"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushable:
    """An artefact, as it would go up.

    Attributes:
        folder: Its own.
        kind: What it is.
        files: That go up, by name.
        left_out: Names of those that don't.
        proof: Of a model that was made of what was trained.
        run: The run's name; empty where the artefact doesn't tell.
    """

    folder: Path
    kind: Kind
    files: tuple[Path, ...]
    left_out: tuple[str, ...]
    proof: Proof
    run: str

    @property
    def size_bytes(self) -> int:
        """Of all files that go up."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def weights(self) -> tuple[Path, ...]:
        """Of the files, those that hold tensors."""
        return tuple(file for file in self.files if file.suffix in WEIGHTS)


def pushable(folder: Path) -> Pushable:
    """Look at an artefact, or at the folder of an export that holds a single one.

    Raises:
        StudioError: It holds none, several, or a file that isn't what its name says.
    """
    _refuse_checkpoint(folder)
    kind = _kind_of(folder)
    if kind is None:
        folder = _only_one_in(folder)
        kind = _kind_of(folder)
    assert kind is not None
    files = tuple(sorted(each for each in _plain(folder) if _goes_up(each)))
    for file in files:
        _check(file)
    found = Pushable(
        folder=folder,
        kind=kind,
        files=files,
        left_out=tuple(sorted(_left_out(folder, files))),
        proof=_proof(folder, kind, files),
        run=_run_of(folder),
    )
    if not found.weights:
        raise refusal(
            "push.no-weights",
            f"The {kind} holds no weights in safetensors or GGUF.",
            fix="Export the run again.",
            where=str(folder),
        )
    return found


def artefacts_in(folder: Path) -> Sequence[Path]:
    """The artefacts of an export's folder, by name."""
    try:
        inside = sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError:
        return ()
    return [each for each in inside if each.name[0] != "." and _kind_of(each)]


def _kind_of(folder: Path) -> Kind | None:
    if (folder / _ADAPTER_CONFIG).is_file():
        return Kind.ADAPTER
    if _is_trained_whole(folder):
        return Kind.WHOLE
    if not (folder / ORIGIN).is_file():
        return None
    return Kind.MERGED if (folder / _CONFIG).is_file() else Kind.OTHER


def _is_trained_whole(folder: Path) -> bool:
    """Whether it is what a run of all weights left."""
    run = RunDirectory(folder.parent)
    is_result = run.model_path == folder and run.recipe_path.is_file()
    return is_result and (folder / _CONFIG).is_file()


def _refuse_checkpoint(folder: Path) -> None:
    """Refuse what a run goes on from: it holds more than anybody can load.

    Raises:
        StudioError: It is such a folder.
    """
    if (folder / MANIFEST).is_file():
        raise refusal(
            "push.checkpoint",
            "This is a checkpoint, from which a run goes on.",
            fix="Push what snugtune export makes of the run.",
            where=str(folder),
        )


def _only_one_in(folder: Path) -> Path:
    found = artefacts_in(folder)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise refusal(
            "push.several",
            f"The folder holds several artefacts: {names}.",
            fix=f"Name one of them, such as {found[0]}.",
            where=str(folder),
        )
    raise refusal(
        "push.no-artefact",
        "There is nothing here that Snugtune exported.",
        fix="Name the folder of an adapter, a merged model or GGUF files; snugtune "
        "export makes them.",
        where=str(folder),
    )


def _plain(folder: Path) -> Iterator[Path]:
    for each in folder.iterdir():
        if each.is_file() and not each.is_symlink() and each.name[0] != ".":
            yield each


def _goes_up(file: Path) -> bool:
    return file.suffix in WEIGHTS | _TEXTS or file.name in _NAMES


def _left_out(folder: Path, files: Sequence[Path]) -> Iterator[str]:
    for each in folder.iterdir():
        if each not in files and each.name[0] != ".":
            yield f"{each.name}/" if each.is_dir() else each.name


def _check(file: Path) -> None:
    """Refuse a file that isn't what its name says.

    Raises:
        StudioError: It isn't, or can't be read.
    """
    if file.suffix == SAFETENSORS:
        read_header(file)
        return
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
    except OSError as fault:
        raise unreadable(fault, file) from fault
    if file.suffix == GGUF and head != b"GGUF":
        raise _not_as_named(file, "is no GGUF file")
    if head[:2] == b"PK" or (
        len(head) > 1 and head[0] == _PICKLE and head[1] in _PROTOCOLS
    ):
        raise _not_as_named(file, "is a pickle or an archive, which may run code")


def _not_as_named(file: Path, what: str) -> StudioError:
    return refusal(
        "push.file",
        f"{file.name} {what}.",
        why="Nothing was pushed.",
        fix="Export the run again, or take the file out of the folder.",
        where=str(file),
    )


def _proof(folder: Path, kind: Kind, files: Sequence[Path]) -> Proof:
    if kind in {Kind.ADAPTER, Kind.WHOLE}:
        return Proof.NOT_NEEDED
    documents = [folder / _CERTIFICATE]
    if kind is Kind.OTHER:
        models = [file for file in files if file.suffix in WEIGHTS]
        documents = [folder / f"{file.stem}.{_CERTIFICATE}" for file in models]
    found = [read_certificate(document) for document in documents]
    if any(told is not None and told.get("proven") is not True for told in found):
        return Proof.DIFFERS
    return Proof.PROVEN if all(told is not None for told in found) else Proof.MISSING


def _run_of(folder: Path) -> str:
    if _is_trained_whole(folder):
        return folder.parent.name
    try:
        return read_origin(folder).run
    except StudioError:
        return ""
