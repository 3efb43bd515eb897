"""`snugtune inspect-model`: what a folder tells of the model in it."""

from studio.cli import terminal
from studio.domain.hardware import gib
from studio.services.model_inspecting import inspect_model
from studio.storage.model_inspection import ModelInspection

JSON_HELP = """No weights are loaded, and nothing is run that comes with the model.

With --json:

{"folder", "family", "is_known", "parameters", "parameters_from", "format", "formats", "size_bytes", "layers", "hidden", "heads", "key_heads", "context", "vocabulary", "tied", "quantization", "has_chat_template", "licence", "findings": [{"code", "severity", "what", "why", "how_to_fix", "where"}]}

What isn't told is null, or empty for words. is_known: whether the formula knows the family; any other is priced by a dry run. parameters_from is "headers" of the weights' files or "config". formats counts the files' entries by format, such as BF16. quantization is how the weights are quantised already."""  # noqa: E501 - the terminal wraps it


def inspect(name: str, *, json: bool) -> None:
    """Print what a model tells.

    Raises:
        StudioError: It isn't here, or is no model.
    """
    found = inspect_model(name)
    if json:
        terminal.say_json(_document(found))
        return
    for title, value in _lines(found):
        terminal.say(f"{title:<14}{value}")
    for finding in found.findings:
        terminal.say_finding(finding)


def _lines(found: ModelInspection) -> list[tuple[str, str]]:
    known = "priced by formula" if found.is_known else "priced by a dry run"
    weights = "not told"
    if found.parameters is not None:
        weights = f"{found.parameters:,}, by its {found.parameters_from}"
    shape = (
        f"{_or_not(found.layers)} layers, width {_or_not(found.hidden)}, "
        f"{_or_not(found.heads)} heads over {_or_not(found.key_heads)} for keys"
    )
    return [
        ("Folder", str(found.folder)),
        ("Kind", f"{found.family or 'not told'}, {known}"),
        ("Weights", weights),
        ("Format", found.quantization or found.format or "not told"),
        ("On disk", gib(found.size_bytes)),
        ("Shape", shape),
        ("Vocabulary", f"{_or_not(found.vocabulary)}{_tied(found.tied)}"),
        ("Reads at most", f"{_or_not(found.context)} tokens"),
        ("Chat template", "yes" if found.has_chat_template else "none"),
        ("Licence", found.licence or "not told"),
    ]


def _or_not(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _tied(tied: bool | None) -> str:
    if tied is None:
        return ""
    return ", shared with the head" if tied else ", the head has its own"


def _document(found: ModelInspection) -> dict[str, object]:
    return {
        "folder": str(found.folder),
        "family": found.family,
        "is_known": found.is_known,
        "parameters": found.parameters,
        "parameters_from": found.parameters_from,
        "format": found.format,
        "formats": dict(found.formats),
        "size_bytes": found.size_bytes,
        "layers": found.layers,
        "hidden": found.hidden,
        "heads": found.heads,
        "key_heads": found.key_heads,
        "context": found.context,
        "vocabulary": found.vocabulary,
        "tied": found.tied,
        "quantization": found.quantization,
        "has_chat_template": found.has_chat_template,
        "licence": found.licence,
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "what": finding.what,
                "why": finding.why,
                "how_to_fix": finding.how_to_fix,
                "where": finding.where,
            }
            for finding in found.findings
        ],
    }
