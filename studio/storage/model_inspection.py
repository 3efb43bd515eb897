"""All that a model's folder tells before a weight is loaded, whoever made it.

What is wrong with it becomes a finding; only a folder that holds no sign of a model is
refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, Severity, error, warning
from studio.storage.bounded_files import read_object
from studio.storage.model_extras import (
    has_template,
    licence_of,
    printable,
    short_word,
)
from studio.storage.safetensors_headers import Header
from studio.storage.weight_files import PICKLES, read_weights

_CONFIG = "config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInspection:
    """What a folder tells of the model in it.

    Attributes:
        folder: Where it lies.
        family: ``model_type`` of its language model; empty when that isn't told.
        is_known: Whether the formula knows the family's shape.
        parameters: Weights; None when nothing tells.
        parameters_from: ``headers``, ``config``, or empty.
        formats: Entries of the weights' files by format, such as ``BF16``.
        size_bytes: Of the weights' files.
        layers, hidden, heads, key_heads, context, vocabulary: Of the language model;
            None where the config doesn't tell.
        tied: Whether the head shares the embedding's matrix; None when unknown.
        quantization: How its weights are quantised already; empty when they aren't.
        has_chat_template: Whether it brings one.
        licence: As its README says; empty when that doesn't.
        findings: What is wrong or noteworthy.
    """

    folder: Path
    family: str = ""
    is_known: bool = False
    parameters: int | None = None
    parameters_from: str = ""
    formats: Mapping[str, int]
    size_bytes: int = 0
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    key_heads: int | None = None
    context: int | None = None
    vocabulary: int | None = None
    tied: bool | None = None
    quantization: str = ""
    has_chat_template: bool = False
    licence: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def format(self) -> str:
        """What most entries are held in; empty without weights."""
        return max(self.formats, key=lambda each: self.formats[each], default="")


def inspect(folder: Path) -> ModelInspection:
    """Read a model's config and the headers of its weights.

    Raises:
        StudioError: The folder is none, or nothing in it is part of a model.
    """
    _refuse_none(folder)
    weights, findings = read_weights(folder)
    is_whole = not any(each.severity is Severity.ERROR for each in findings)
    config: Mapping[str, object] | None = None
    try:
        config = read_object(folder / _CONFIG)
    except StudioError as fault:
        findings = [fault.finding, *findings]
    found = ModelInspection(
        folder=folder,
        formats=weights.entries,
        size_bytes=weights.size_bytes,
        quantization=_quantization(config or {}),
        has_chat_template=has_template(folder),
        licence=licence_of(folder),
        findings=tuple(findings),
    )
    if config is not None:
        found = _with_config(found, config)
    if is_whole:
        found = _with_parameters(found, weights)
    return replace(found, findings=(*found.findings, *_remarks(found, config or {})))


def _refuse_none(folder: Path) -> None:
    if not folder.is_dir():
        what = "This is a file" if folder.exists() else "There is no such folder"
        raise refusal(
            "model.not-a-model",
            f"{what}; a model is a folder.",
            fix="Name the folder that holds config.json, or a hub id.",
            where=str(folder),
        )
    if (folder / "adapter_config.json").exists() and not (folder / _CONFIG).exists():
        raise refusal(
            "model.adapter",
            "This is an adapter, not a model.",
            fix="Name the base model instead.",
            where=str(folder),
        )
    patterns = (_CONFIG, "*.safetensors", *PICKLES, "*.gguf")
    if not any(True for each in patterns for _ in folder.glob(each)):
        raise refusal(
            "model.not-a-model",
            "Nothing in this folder is part of a model.",
            fix="Name the folder that holds config.json.",
            where=str(folder),
        )


def _with_config(
    found: ModelInspection, config: Mapping[str, object]
) -> ModelInspection:
    nested = config.get("text_config")
    text = {**config, **nested} if isinstance(nested, dict) else config
    tied = text.get("tie_word_embeddings")
    found = replace(
        found,
        family=short_word(text.get("model_type")),
        layers=_number(text, "num_hidden_layers", "n_layer"),
        hidden=_number(text, "hidden_size", "n_embd"),
        heads=_number(text, "num_attention_heads", "n_head"),
        key_heads=_number(text, "num_key_value_heads", "num_attention_heads", "n_head"),
        context=_number(text, "max_position_embeddings", "n_positions"),
        vocabulary=_number(text, "vocab_size"),
        tied=tied if isinstance(tied, bool) else None,
    )
    try:
        shape = ModelArchitecture.from_config(config)
    except StudioError as unknown:
        return replace(found, findings=(*found.findings, _about_shape(unknown.finding)))
    return replace(
        found,
        is_known=True,
        parameters=shape.parameters,
        parameters_from="config",
        layers=shape.layers,
        hidden=shape.hidden,
        context=shape.context,
        vocabulary=shape.vocabulary,
        tied=shape.tied,
    )


def _about_shape(finding: Finding) -> Finding:
    """An unknown family is no fault: the dry run goes through its own code."""
    if finding.code != "model.architecture":
        return finding
    fix = "A dry run prices it: snugtune estimate --model."
    what = printable(finding.what)
    return replace(finding, severity=Severity.INFO, what=what, how_to_fix=fix)


def _with_parameters(found: ModelInspection, weights: Header) -> ModelInspection:
    """The headers' count, unless several weights are packed into one entry."""
    if not weights.entries or found.quantization:
        return found
    counted = sum(weights.entries.values())
    return replace(found, parameters=counted, parameters_from="headers")


def _remarks(found: ModelInspection, config: Mapping[str, object]) -> Iterator[Finding]:
    if found.quantization:
        yield warning(
            "model.quantized",
            f"Its weights are quantised already ({found.quantization}).",
            why="They can’t be quantised again, nor merged without loss.",
            fix="Take the model that it was made from.",
            where=_CONFIG,
        )
    if "auto_map" in config:
        yield warning(
            "model.foreign-code",
            "It brings code of its own, which Snugtune doesn’t run.",
            why="It loads only if transformers knows its kind.",
            where=_CONFIG,
        )
    if not found.has_chat_template:
        yield warning(
            "model.no-chat-template",
            "It has no chat template, so it can’t be taught from chats.",
            fix="Take an instruct or chat version of it.",
            where=str(found.folder),
        )
    yield from _count_remarks(found, config)


def _count_remarks(
    found: ModelInspection, config: Mapping[str, object]
) -> Iterator[Finding]:
    if found.parameters_from != "headers" or not found.is_known:
        return
    assert found.parameters is not None
    shape = ModelArchitecture.from_config(config)
    asked = shape.parameters + (shape.tower.weights if shape.tower else 0)
    if found.parameters < asked:
        yield error(
            "model.weights-missing",
            f"Its files hold {found.parameters:,} weights; its config asks for "
            f"{asked:,}.",
            why="The missing ones would start at random.",
            fix="Fetch the model again.",
            where=str(found.folder),
        )


def _quantization(config: Mapping[str, object]) -> str:
    told = config.get("quantization_config")
    if told is None:
        return ""
    method = told.get("quant_method") if isinstance(told, dict) else None
    return short_word(method) or "unknown method"


def _number(config: Mapping[str, object], *keys: str) -> int | None:
    found: Sequence[object] = [config[key] for key in keys if config.get(key)]
    first = found[0] if found else None
    return first if type(first) is int and first > 0 else None
