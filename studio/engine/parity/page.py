"""The report of a comparison: a document for programs and a page for people."""

import dataclasses
import html
import json
import math
from pathlib import Path

from studio.domain.finding import Finding, Severity
from studio.domain.parity import Distance, Parity
from studio.storage.documents import write_bytes_atomically
from studio.system.versions import versions

DOCUMENT, PAGE = "parity.json", "parity.html"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #d5dae0 }
.yes { color: #17692f } .no { color: #a4161a } td { white-space: pre-wrap }
@media (prefers-color-scheme: dark) { body { color: #e6e8eb; background: #16191d }
  th, td { border-color: #3a4048 } .yes { color: #6fce8a } .no { color: #ff8a8a } }
"""


_AS_TRAINED = (
    "Beside the model as it was trained",
    "the base was quantised in training and isn’t any more",
)
_OWN_WEIGHTS = (
    "Beside the adapter on the base’s own weights",
    "this one keeps what 4 bits lost in training",
)


def write_report(artefact: Path, run: str, parity: Parity, prefix: str = "") -> Path:
    """Write both beside the exported model.

    Args:
        artefact: The folder.
        run: The run's name.
        parity: What was found.
        prefix: Of both names, where a folder may hold several models.

    Returns:
        The page's path.

    Raises:
        StudioError: The disk refuses.
    """
    document = json.dumps(as_document(run, parity), indent=2, ensure_ascii=False)
    file = artefact / f"{prefix}{DOCUMENT}"
    write_bytes_atomically(file, (document + "\n").encode())
    page = artefact / f"{prefix}{PAGE}"
    write_bytes_atomically(page, as_page(run, parity).encode())
    return page


def as_document(run: str, parity: Parity) -> dict[str, object]:
    """The report for programs: figures, limits, findings, answers, versions."""
    return {
        "proven": parity.is_proven,
        "run": run,
        "format": parity.format,
        "made_from": parity.made_from or None,
        "kind": parity.kind,
        "reader": parity.reader,
        "limits": dataclasses.asdict(parity.limits),
        "distance": _figures(parity.distance),
        "learnt": _figures(parity.learnt),
        "lost": finite(parity.lost),
        "holds_bits": parity.holds_bits,
        "as_trained": _figures(parity.as_trained) if parity.as_trained else None,
        "findings": [
            {
                "code": each.code,
                "severity": each.severity.value,
                "what": each.what,
                "why": each.why,
            }
            for each in parity.findings
        ],
        "answers": [dataclasses.asdict(pair) for pair in parity.answers],
        "versions": dict(versions()),
    }


def as_page(run: str, parity: Parity) -> str:
    """The report for people, a page without scripts or anything from elsewhere."""
    verdict = (
        '<p class="yes"><strong>It says what was trained.</strong></p>'
        if parity.is_proven
        else '<p class="no"><strong>It doesn’t say what was trained.</strong></p>'
    )
    found = "".join(_finding(each) for each in parity.findings)
    rows = "".join(
        f"<tr><td>{_safe(pair.prompt)}</td><td>{_safe(pair.trained)}</td>"
        f"<td>{_same(pair.trained == pair.exported, pair.exported)}</td></tr>"
        for pair in parity.answers
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>Parity of {_safe(run)}</title><style>{_STYLE}</style>"
        f"<h1>{parity.kind} of {_safe(run)}, {parity.format}</h1>{verdict}"
        f"<ul>{found}</ul>{_table(parity)}"
        "<h2>Answers</h2><table><tr><th>Prompt<th>Trained<th>Exported</tr>"
        f"{rows}</table></html>\n"
    )


def _table(parity: Parity) -> str:
    limits, found = parity.limits, parity.distance
    rows = [
        ("Compared tokens", f"{found.tokens:,}", ""),
        (
            "Same next token",
            f"{found.agreement:.2%}",
            f"at least {limits.agreement:.1%}",
        ),
        (
            "Divergence, mean",
            f"{found.mean_kl:.3g} nats",
            f"at most {limits.mean_kl:.0e} nats",
        ),
        (
            "Of what was learnt, lost",
            f"{parity.lost:.3%}",
            f"at most {limits.lost:.1%}",
        ),
        ("Divergence, worst", f"{found.worst_kl:.3g} nats", ""),
    ]
    if not math.isnan(found.trained_perplexity):
        both = f"{found.trained_perplexity:.3f} → {found.exported_perplexity:.3f}"
        most = f"at most {limits.perplexity_ratio - 1:.1%} more"
        rows.append(("Perplexity on held-out answers", both, most))
    rows.append(("Run by", parity.reader, ""))
    same = f"{parity.same_answers} of {len(parity.answers)}"
    rows.append(("Answers with the same words", same, ""))
    if parity.as_trained is not None:
        apart = f"{parity.as_trained.mean_kl:.3g} nats"
        what, why = _OWN_WEIGHTS if parity.holds_bits else _AS_TRAINED
        rows.append((what, apart, why))
    cells = "".join(
        f"<tr><th>{what}<td>{_safe(figure)}<td>{_safe(limit)}</tr>"
        for what, figure, limit in rows
    )
    return f"<table>{cells}</table>"


def _finding(each: Finding) -> str:
    if each.severity is Severity.ERROR:
        return f'<li class="no">{_safe(each.what)}</li>'
    return f"<li>{_safe(' '.join((each.what, each.why, each.how_to_fix)))}</li>"


def _figures(distance: Distance) -> dict[str, float | None]:
    return {name: finite(v) for name, v in dataclasses.asdict(distance).items()}


def finite(figure: float) -> float | None:
    """A figure for a document: JSON knows neither NaN nor infinity."""
    return figure if math.isfinite(figure) else None


def _same(same: bool, text: str) -> str:
    return "<span class=yes>the same words</span>" if same else _safe(text)


def _safe(text: str) -> str:
    return html.escape(text)
