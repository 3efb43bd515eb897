"""What can be compared with a run: a merged model's folder, or a GGUF file."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from studio.domain.errors import StudioError, refusal
from studio.engine.model_loading import load_plain
from studio.engine.parity import gguf_file, llama_server
from studio.engine.parity.llama_program import usable_server
from studio.engine.parity.speakers import LoadedModel, ServedFile, Speaker
from studio.engine.parity.words import ends_of
from studio.engine.tokenizer_loading import load_tokenizer
from studio.storage.artefacts import ORIGIN, read_origin
from studio.storage.models import is_model_folder
from studio.storage.weight_files import read_weights

_USUAL = "bf16"  # of merges, where a file doesn't say what it was converted from
_NAMES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}


class Artefact(Protocol):
    """An exported model, and what runs it here."""

    @property
    def kind(self) -> str:
        """For people, such as ``Merged model``."""

    @property
    def reader(self) -> str:
        """What runs it here, for people."""

    @property
    def format(self) -> str:
        """Of its weights: a key of `studio.domain.parity.LIMITS`."""

    @property
    def made_from(self) -> str:
        """The format of what it was converted from; empty when from the run itself."""

    @property
    def folder(self) -> Path:
        """Where it lies, and its report goes."""

    @property
    def prefix(self) -> str:
        """Of the report's names; empty where it has the folder to itself."""

    @property
    def as_trained(self) -> bool:
        """Whether it was made on what 4 bits stand for, not on the base's weights."""

    def look(self) -> None:
        """Look at its small parts, before anything is loaded.

        Raises:
            StudioError: It can't be read, or isn't judged.
        """

    def opened(self, room: int) -> contextlib.AbstractContextManager[Speaker]:
        """Itself, loaded for as long as it is asked.

        Args:
            room: Tokens that a text may have, or a prompt and its answer together.

        Raises:
            StudioError: It can't be loaded.
        """


@dataclass(frozen=True, slots=True)
class MergedFolder:
    """A merged model's folder.

    Attributes:
        folder: Holds config, tokenizer and safetensors.
    """

    folder: Path
    kind: str = "Merged model"
    reader: str = "transformers"
    made_from: str = ""
    prefix: str = ""

    @property
    def format(self) -> str:
        """The narrowest format that weights of the folder have."""
        header, _ = read_weights(self.folder)
        found = [_NAMES[each] for each in header.entries if each in _NAMES]
        return next((name for name in ("bf16", "fp16") if name in found), "fp32")

    @property
    def as_trained(self) -> bool:
        """As the folder says; one that says nothing is taken for a usual merge."""
        if not (self.folder / ORIGIN).is_file():
            return False
        return read_origin(self.folder).as_trained

    def look(self) -> None:
        """At the headers of its weights."""
        _ = self.format

    @contextlib.contextmanager
    def opened(self, room: int = 0) -> Iterator[LoadedModel]:  # noqa: ARG002 - it takes any
        """The model in fp32.

        Raises:
            StudioError: transformers makes nothing of it.
        """
        tokenizer = load_tokenizer(self.folder)
        model = load_plain(self.folder, torch.float32)
        ends = ends_of(tokenizer, model.generation_config.eos_token_id)
        yield LoadedModel(model, tokenizer, frozenset(ends))


@dataclass(frozen=True, slots=True)
class GgufArtefact:
    """A GGUF file, run by the user's llama.cpp where there is one.

    Attributes:
        file: It.
    """

    file: Path
    kind: str = "GGUF file"
    as_trained: bool = False

    @property
    def reader(self) -> str:
        """Of the two that can run it."""
        program = usable_server()
        return gguf_file.READER if program is None else program.title

    @property
    def format(self) -> str:
        """What most of its matrices are held as."""
        return gguf_file.format_of(self.file)

    @property
    def made_from(self) -> str:
        """As the export wrote it down beside the file; else the usual one."""
        try:
            told = read_origin(self.file.parent).converted_from
        except StudioError:
            told = ""
        return told or _USUAL

    @property
    def folder(self) -> Path:
        """Which may hold others of its kind."""
        return self.file.parent

    @property
    def prefix(self) -> str:
        """The file's own name."""
        return f"{self.file.stem}."

    def look(self) -> None:
        """At its header, and whether what runs it reads files of its kind.

        Raises:
            StudioError: It is no GGUF file, or one that isn't read here.
        """
        _ = self.format
        if usable_server() is None:
            gguf_file.refuse_misread(self.file)

    @contextlib.contextmanager
    def opened(self, room: int) -> Iterator[Speaker]:
        """By llama-server, else by transformers in fp32.

        Raises:
            StudioError: Neither makes anything of it.
        """
        ends = frozenset(gguf_file.ends_of(self.file))
        program = usable_server()
        if program is None:
            model = gguf_file.load(self.file)
            yield LoadedModel(model, gguf_file.tokenizer_of(self.file), ends)
        else:
            with llama_server.serving(program.file, self.file, room) as server:
                yield ServedFile(server, ends)


def artefact_at(path: Path) -> Artefact:
    """What lies somewhere.

    Args:
        path: A merged model's folder, a GGUF file, or a folder that holds one of these
            files and nothing else to run.

    Raises:
        StudioError: It is none of them.
    """
    if is_model_folder(path):
        return MergedFolder(path)
    found = [path] if path.suffix == ".gguf" else sorted(path.glob("*.gguf"))
    if len(found) == 1 and found[0].is_file():
        return GgufArtefact(found[0])
    raise refusal(
        "parity.no-model",
        "There is no model in this folder."
        if len(found) != 1
        else "There is no such file.",
        fix="Give the folder of a merged model, or a .gguf file.",
        where=str(path),
    )
