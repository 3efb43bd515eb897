"""An export to GGUF: convert, read back, hear, and tell how it is run."""

import json
from dataclasses import replace
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.plugin_api.exporting import Proof, Tell
from studio.system.llama_cpp import find_llama_cpp

from . import check as beforehand
from . import guide, modelfile, supported
from .converting import Converter, convert, converter, quantize
from .forms import FORMS, Form, form_named
from .hearing import heard
from .reading import Written, findings, read_back
from .rendering import render_of
from .source import Source, source_of
from .templates import Pieces, pieces_of

_ORIGIN = "snugtune.json"


def export(source: Path, out: Path, form: str, tell: Tell) -> Proof:
    """Write a merged model as one GGUF file, and read it back.

    Args:
        source: The merged model's folder.
        out: An empty folder to fill.
        form: Of the weights.
        tell: Is told how far it is.

    Returns:
        What the file lacks of what was trained, and what was compared.

    Raises:
        StudioError: It can't be done, in words.
        OSError: The disk refuses.
    """
    wanted, model = form_named(form), source_of(source)
    _refuse(source, form)
    by = converter(tell)
    supported.learn(by, tell)
    file = out / f"{_name_of(source)}-{form}.gguf"
    _write(by, source, file, wanted, tell)
    written = read_back(file)
    pieces = _pieces(model, written)
    _write_beside(file, form, by, model, pieces)
    wrong = tuple(findings(written, model, wanted))
    if wrong:
        return Proof(wrong, figures=_figures(written))
    proof = heard(source, file, tell)
    return replace(proof, figures=(*_figures(written), *proof.figures))


def _refuse(source: Path, form: str) -> None:
    for finding in beforehand.check(source, form):
        if finding.severity is Severity.ERROR:
            raise StudioError(finding)


def _write(by: Converter, source: Path, file: Path, form: Form, tell: Tell) -> None:
    if not form.from_form:
        convert(by, source, file, form, tell)
        return
    tool = find_llama_cpp().quantizer
    assert tool is not None  # else it was refused
    between = file.with_name("between.gguf")
    convert(by, source, between, FORMS[form.from_form], tell)
    quantize(tool, between, file, form, tell)
    between.unlink()


def _name_of(source: Path) -> str:
    """The run's name, which the merged model's folder tells."""
    try:
        told = json.loads((source / _ORIGIN).read_text(encoding="utf-8"))["run"]
    except (OSError, ValueError, KeyError, TypeError):
        told = source.name
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in str(told))


def _pieces(model: Source, written: Written) -> Pieces | None:
    pieces = pieces_of(render_of(model))
    adds = written.fields.get("tokenizer.ggml.add_bos_token")
    if adds is None:  # of sentencepiece models llama.cpp takes it for granted
        adds = written.fields.get("tokenizer.ggml.model") == "llama"
    if pieces is not None and adds is True and model.begin:
        return pieces.without(model.begin)
    return pieces


def _write_beside(
    file: Path, form: str, by: Converter, model: Source, pieces: Pieces | None
) -> None:
    folder = file.parent
    beside = modelfile.modelfile(file.name, model, pieces)
    (folder / modelfile.NAME).write_text(beside, encoding="utf-8")
    told = guide.guide(
        file.name, form, by.title, model, has_template=pieces is not None
    )
    (folder / guide.NAME).write_text(told, encoding="utf-8")
    _write_origin(folder, model.folder, form)


def _write_origin(folder: Path, source: Path, form: str) -> None:
    """Which run it comes from, and what it was converted from."""
    file = source / _ORIGIN
    if file.is_file():
        told = json.loads(file.read_text(encoding="utf-8"))
        told |= {"format": form, "converted_from": told.get("format", "")}
        text = json.dumps(told, indent=2) + "\n"
        (folder / _ORIGIN).write_text(text, encoding="utf-8")


def _figures(written: Written) -> tuple[tuple[str, str], ...]:
    held = ", ".join(sorted(written.held_as))
    return (
        ("Tensors", f"{written.tensors:,}, {written.weights:,} weights"),
        ("Matrices", held),
        ("Words", f"{written.words['count']:,}"),
    )
