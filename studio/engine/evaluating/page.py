"""The report for people: a page without scripts or anything from elsewhere."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from studio.domain.evaluation import (
    BASE,
    FEWEST,
    Compared,
    Evaluation,
    Measure,
    Verdict,
    Voice,
)
from studio.storage.documents import write_bytes_atomically

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto;
  padding: 0 1rem; color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #d5dae0 }
.better { color: #17692f } .worse { color: #a4161a }
.answers td { white-space: pre-wrap }
@media (prefers-color-scheme: dark) { body { color: #e6e8eb; background: #16191d }
  th, td { border-color: #3a4048 }
  .better { color: #6fce8a } .worse { color: #ff8a8a } }
"""
_CLASSES: Final = {Verdict.BETTER: "better", Verdict.WORSE: "worse"}


def write_page(folder: Path, evaluation: Evaluation) -> Path:
    """Write the page beside the document.

    Raises:
        StudioError: The disk refuses.
    """
    path = folder / f"{evaluation.name}.html"
    write_bytes_atomically(path, as_page(evaluation).encode())
    return path


def as_page(evaluation: Evaluation) -> str:
    """The page's text."""
    title = f"Evaluation of {_safe(evaluation.run)}"
    found = "".join(f"<li>{_safe(each)}</li>" for each in evaluation.findings)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{_safe(_about(evaluation))}</p>"
        f"<ul>{found}</ul>{_table(evaluation)}{_terms(evaluation)}"
        f"{_answers(evaluation)}</html>\n"
    )


def _about(evaluation: Evaluation) -> str:
    of = ""
    if evaluation.inputs < evaluation.of_inputs:
        of = f" of {evaluation.of_inputs:,}, evenly spread"
    few = ""
    if evaluation.is_few:
        few = f" Below {FEWEST} inputs no difference is judged."
    return (
        f"Measured on {evaluation.source}: {evaluation.inputs:,} inputs{of}, with "
        f"{evaluation.rows:,} rows.{few}"
    )


def _table(evaluation: Evaluation) -> str:
    heads = "".join(
        f"<th>{_safe(voice.title)}" + ("" if voice.name == BASE else "<th>against base")
        for voice in evaluation.voices
    )
    rows = "".join(
        f'<tr><th title="{_safe(measure.help)}">{measure.words}'
        + "".join(_cells(voice, measure) for voice in evaluation.voices)
        + "</tr>"
        for measure in evaluation.measures
    )
    return f"<table><tr><th>{heads}</tr>{rows}</table>"


def _cells(voice: Voice, measure: Measure) -> str:
    figure = voice.figures.get(measure)
    value = measure.shown(figure.value if figure else None)
    if voice.name == BASE:
        return f"<td>{value}"
    if figure is None or figure.change is None:
        return f"<td>{value}<td>–"
    verdict = figure.change.verdict(measure)
    told = f"{figure.change.interval(measure)}: {verdict.value}"
    return f'<td>{value}<td class="{_CLASSES.get(verdict, "")}">{told}'


def _terms(evaluation: Evaluation) -> str:
    terms = evaluation.terms
    helps = "".join(f"<li>{m.words}: {_safe(m.help)}</li>" for m in evaluation.measures)
    bleu = (
        f"<li>BLEU’s signature: {_safe(terms.bleu)}</li><li>Greedy answers of at most "
        f"{terms.max_new_tokens:,} tokens. Computed in 16 bits, words that are as good "
        "as equally likely may turn out otherwise with other rows beside them.</li>"
    )
    return (
        f"<ul>{helps}{bleu if terms.bleu else ''}<li>Rows are cut at {terms.length:,} "
        f"tokens, as in training.</li><li>In brackets: the 95 % "
        f"interval of the difference, by {terms.resamples:,} paired resamples of the "
        f"inputs (seed {terms.seed}). It is called better or worse only where that "
        "doesn’t hold 0.</li></ul>"
    )


def _answers(evaluation: Evaluation) -> str:
    heads = "".join(f"<th>{_safe(voice.title)}" for voice in evaluation.voices)
    rows = "".join(_rows(evaluation.compared, evaluation.voices))
    return (
        "<h2>Input by input</h2><table class=answers>"
        f"<tr><th>Asked<th>Reference{heads}</tr>{rows}</table>"
    )


def _rows(compared: Sequence[Compared], voices: Sequence[Voice]) -> Iterator[str]:
    for each in compared:
        said = "".join(f"<td>{_safe(_said(each, voice.name))}" for voice in voices)
        seen = " (trained on)" if each.seen else ""
        yield (
            f"<tr><td>{_safe(each.prompt)}{seen}"
            f"<td>{_safe(chr(10).join(each.references))}{said}</tr>"
        )


def _said(each: Compared, voice: str) -> str:
    said = each.said[voice]
    if said.text is not None:
        return said.text or "(nothing)"
    if said.margin is not None:
        return f"{said.margin:+.3f} nats"
    return "–" if said.loss is None else f"{said.loss:.4f} nats a token"


def _safe(text: str) -> str:
    return html.escape(text)
