"""The certificate of an exported model in words: what was compared, and how it went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.domain.finding import Finding, Severity, error, warning
from studio.storage.certificates import read_certificate

_DOCUMENT = "parity.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One thing that was compared.

    Attributes:
        title: What it is, with what it was counted in.
        measure: What it is alone, the same for every model.
        trained: Of the trained model.
        exported: Of what was exported.
        limit: What its format may cost; empty where nothing is asked.
    """

    title: str
    trained: str
    exported: str
    limit: str = ""
    measure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the comparison of an exported model with its run found.

    Attributes:
        is_proven: Whether it says what was trained.
        run: The run's name.
        format: Of the model's weights.
        rows: For a table.
        findings: What speaks against it.
        page: All of it, for a browser.
        made_at: When, seconds since the epoch.
    """

    is_proven: bool
    run: str
    format: str
    rows: tuple[ComparedRow, ...]
    findings: tuple[Finding, ...]
    page: Path
    made_at: float


def certificate_in(folder: Path, name: str = _DOCUMENT) -> Certificate | None:
    """The certificate in a model's folder; None where it has none that can be read.

    Args:
        folder: Of the model.
        name: Of the certificate's document, beside which its page lies.
    """
    document = folder / name
    told = read_certificate(document)
    if told is None:
        return None
    try:
        return Certificate(
            is_proven=told["proven"] is True,
            run=str(told["run"]),
            format=str(told["format"]),
            rows=tuple(_rows(told)),
            findings=_findings(told["findings"]),
            page=document.with_suffix(".html"),
            made_at=document.stat().st_mtime,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError):
        return None


def figures_of(told: Mapping[str, Any]) -> dict[str, str]:
    """A comparison's figures for a terminal, by name.

    Args:
        told: A whole ``parity.json``.
    """
    found = told["distance"]
    figures = {
        "Same next token": f"{found['agreement']:.2%} of {found['tokens']:,}",
        "Divergence": _nats(found["mean_kl"]),
        "Learnt in training": _nats(told["learnt"]["mean_kl"]),
    }
    if told["as_trained"]:
        title = "Own weights" if told.get("holds_bits") else "Quantised base"
        figures[title] = _nats(told["as_trained"]["mean_kl"])
    before, after = found["trained_perplexity"], found["exported_perplexity"]
    if before is not None and after is not None:
        figures["Perplexity"] = f"{before:.3f} trained, {after:.3f} exported"
    same = sum(pair["trained"] == pair["exported"] for pair in told["answers"])
    figures["Same answers"] = f"{same} of {len(told['answers'])}"
    figures["Run by"] = told["reader"]
    return figures


def _rows(told: Mapping[str, Any]) -> list[ComparedRow]:
    found, limits, answers = told["distance"], told["limits"], told["answers"]
    same = sum(pair["trained"] == pair["exported"] for pair in answers)
    rows = [
        ComparedRow(
            title=f"Same next token, of {found['tokens']:,}",
            trained="100 %",
            exported=f"{found['agreement'] * 100:.1f} %",
            limit=f"at least {limits['agreement'] * 100:g} %",
            measure="Same next token",
        ),
        ComparedRow(
            title="Mean divergence, nats a token",
            trained="0",
            exported=_short(found["mean_kl"]),
            limit=f"at most {limits['mean_kl']:g}",
            measure="Mean divergence, nats a token",
        ),
    ]
    if found["trained_perplexity"] is not None:
        rows.append(
            ComparedRow(
                title="Held-out perplexity",
                trained=_short(found["trained_perplexity"]),
                exported=_short(found["exported_perplexity"]),
                limit=f"at most {(limits['perplexity_ratio'] - 1) * 100:.1f} % more",
                measure="Held-out perplexity",
            )
        )
    rows.append(
        ComparedRow(
            title=f"Same answer, of {len(answers)} prompts",
            trained=str(len(answers)),
            exported=str(same),
            measure="Same answer",
        )
    )
    return rows


def _findings(told: Sequence[Mapping[str, Any]]) -> tuple[Finding, ...]:
    return tuple(_finding(each) for each in told)


def _finding(told: Mapping[str, Any]) -> Finding:
    # Certificates of old name errors alone, and say no severity.
    is_doubt = told.get("severity") == Severity.WARNING.value
    kind = warning if is_doubt else error
    return kind(str(told["code"]), str(told["what"]), why=str(told["why"]))


def _short(figure: float | None) -> str:
    return "no number" if figure is None else f"{figure:.3g}"


def _nats(figure: float | None) -> str:
    return "no number" if figure is None else f"{figure:.2g} nats a token"
