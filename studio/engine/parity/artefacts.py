"""What can be compared with a run: a merged model's folder, or a GGUF file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from studio.domain.errors import StudioError, refusal
from studio.engine.model_loading import Model, load_plain
from studio.engine.parity import gguf_file
from studio.engine.parity.words import ends_of
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer
from studio.storage.artefacts import read_origin
from studio.storage.models import is_model_folder
from studio.storage.weight_files import read_weights

_NAMES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}


class Artefact(Protocol):
    """An exported model, by what runs it here."""

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
    def report(self) -> Path:
        """Where its report goes, without a suffix."""

    def tokenizer(self) -> Tokenizer:
        """Its own."""

    def load(self) -> Model:
        """Itself, in fp32."""

    def ends(self, model: Model) -> set[int]:
        """Tokens that end an answer of it.

        Args:
            model: As `load` gave it.
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

    @property
    def format(self) -> str:
        """The narrowest format that weights of the folder have."""
        header, _ = read_weights(self.folder)
        found = [_NAMES[each] for each in header.entries if each in _NAMES]
        return next((name for name in ("bf16", "fp16") if name in found), "fp32")

    @property
    def report(self) -> Path:
        """In the folder."""
        return self.folder / "parity"

    def tokenizer(self) -> Tokenizer:
        """Its own.

        Raises:
            StudioError: There is none.
        """
        return load_tokenizer(self.folder)

    def load(self) -> Model:
        """The model in fp32.

        Raises:
            StudioError: transformers makes nothing of it.
        """
        return load_plain(self.folder, torch.float32)

    def ends(self, model: Model) -> set[int]:
        """By tokenizer and generation settings."""
        own = model.generation_config
        return ends_of(self.tokenizer(), own.eos_token_id if own else None)


@dataclass(frozen=True, slots=True)
class GgufArtefact:
    """A GGUF file.

    Attributes:
        file: It.
    """

    file: Path
    kind: str = "GGUF file"
    reader: str = gguf_file.READER

    @property
    def format(self) -> str:
        """What most of its matrices are held as."""
        return gguf_file.format_of(self.file)

    @property
    def made_from(self) -> str:
        """As the export wrote it down beside the file."""
        try:
            return read_origin(self.file.parent).converted_from
        except StudioError:
            return ""

    @property
    def report(self) -> Path:
        """Beside the file, under its name."""
        return self.file.with_name(f"{self.file.stem}.parity")

    def tokenizer(self) -> Tokenizer:
        """As the file describes it."""
        return gguf_file.tokenizer_of(self.file)

    def load(self) -> Model:
        """The model in fp32, its weights unpacked."""
        return gguf_file.load(self.file)

    def ends(self, model: Model) -> set[int]:  # noqa: ARG002 - the file tells it
        """By the file's own words."""
        return gguf_file.ends_of(self.file)


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
