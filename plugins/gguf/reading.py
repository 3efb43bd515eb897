"""A file is read back, and held against the model that it was made of."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import refusal
from studio.domain.finding import Finding, error
from studio.storage.safetensors_headers import read_header

from . import children
from .forms import Form
from .source import Source

_READER = Path(__file__).with_name("reader_child.py")
_PATIENCE_S = 300
# Some models lose a few entries that only training needs.
_AT_LEAST = 0.999
_NOT_WRITTEN = ("vision", "visual", "mtp.", "audio", "multi_modal", "mm_projector")


@dataclass(frozen=True, slots=True)
class Written:
    """What a file says of itself.

    Attributes:
        fields: Single values by name.
        held_as: How many weights of matrices are held in each format.
        weights: How many there are in all.
        tensors: How many tensors.
        words: Its vocabulary: ``count``, ``sha256``, ``special``, ``scores``.
    """

    fields: Mapping[str, object]
    held_as: Mapping[str, int]
    weights: int
    tensors: int
    words: Mapping[str, object]

    @property
    def template(self) -> str:
        """Its chat template; empty without one."""
        return str(self.fields.get("tokenizer.chat_template", ""))

    @property
    def special(self) -> Mapping[str, str]:
        """Texts of the tokens that begin and end, by kind."""
        found = self.words["special"]
        assert isinstance(found, dict)
        return found


def read_back(file: Path) -> Written:
    """Read a file in a process of its own.

    Raises:
        StudioError: It is no whole GGUF file.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_READER), str(file)],
            capture_output=True,
            env=dict(children.environment()),
            timeout=_PATIENCE_S,
            check=True,
        )
        told = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as fault:
        raise refusal(
            "gguf.unreadable",
            "This is no whole GGUF file.",
            why=_last_line(fault),
            fix="Export it again.",
            where=str(file),
        ) from fault
    held_as: Counter[str] = Counter()
    for _, form, shape in told["tensors"]:
        if len(shape) > 1:
            held_as[form] += math.prod(shape)
    return Written(
        fields=told["fields"],
        held_as=dict(held_as),
        weights=sum(math.prod(shape) for _, _, shape in told["tensors"]),
        tensors=len(told["tensors"]),
        words=told["words"],
    )


def findings(written: Written, source: Source, form: Form) -> Iterator[Finding]:
    """What a file lacks of the model that it was made of.

    Args:
        written: What was read back.
        source: The model.
        form: That was asked for.
    """
    expected = _weights_of(source)
    if written.weights < expected * _AT_LEAST:
        yield _wrong(
            "gguf.weights",
            f"The file holds {written.weights:,} weights; the model has {expected:,}.",
        )
    held_as = max(written.held_as, key=lambda each: written.held_as[each], default="")
    if held_as not in form.held_as:
        yield _wrong(
            "gguf.held-as",
            f"Most weights are held as {held_as or 'nothing'}, not as {form.name}.",
        )
    yield from _words_apart(written, source)


def _words_apart(written: Written, source: Source) -> Iterator[Finding]:
    if not written.template:
        yield _wrong("gguf.template", "The file has no chat template.")
    elif written.template != source.template:
        yield _wrong("gguf.template", "Its chat template is not the trained one.")
    end = written.special.get("eos", "")
    if end != source.end:
        yield _wrong(
            "gguf.end",
            f"In the file {end or 'nothing'} ends an answer; {source.end} was trained.",
        )
    if written.fields.get("tokenizer.ggml.model") == "llama" and (
        written.words["scores"] == 1
    ):
        yield _wrong(
            "gguf.scores",
            "The file doesn’t say how words are put together: all have one score.",
            why="llama.cpp would split text otherwise than in training. The base "
            "model’s folder has no tokenizer.model, which tells it.",
        )


def _weights_of(source: Source) -> int:
    """Entries of the tensors that a language model needs."""
    left_out = (*_NOT_WRITTEN, *(["lm_head."] if source.is_tied else []))
    return sum(
        place.entries
        for file in source.folder.glob("*.safetensors")
        for name, place in read_header(file).tensors.items()
        if not any(part in name for part in left_out)
    )


def _wrong(code: str, what: str, why: str = "") -> Finding:
    return error(
        code,
        what,
        why=why or "It isn’t what was trained.",
        fix="Don’t hand it on; use the merged model, or another form.",
    )


def _last_line(fault: Exception) -> str:
    said = fault.stderr if isinstance(fault, subprocess.CalledProcessError) else None
    lines = said.decode("utf-8", "replace").strip().splitlines() if said else []
    return lines[-1] if lines else str(fault)
