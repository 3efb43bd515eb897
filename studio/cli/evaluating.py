"""`snugtune evaluate`: a run beside its base, on rows that it never learnt."""

import json as documents
from pathlib import Path
from typing import Annotated, Final

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.cli.training import RunReport
from studio.domain.evaluation import BASE, FEWEST, Evaluation, Measure, Voice
from studio.domain.recipe import Recipe
from studio.protocol.evaluation_events import Evaluated
from studio.services.evaluations import Kept, read_kept
from studio.services.hub_data import with_data_here
from studio.services.library import find_run

HELP: Final = """\
Exact match: an answer is one of its references, but for capitals, spaces and \
punctuation around them. BLEU: of the corpus, over all references of each input, by \
sacrebleu. ROUGE-L: F-measure of the longest common subsequence of words. In brackets: \
the 95 % interval of the difference; better or worse is said only where it leaves out 0.

--json prints the report that lies in the run's folder, evaluations/NAME.json."""


_Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run’s name or its directory.")
]
_Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="FILE",
        help="What to measure with; else the run’s own held-out rows.",
    ),
]
_Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="PART=COLUMN",
        help="Which column is which part, such as question=mr; may be repeated. Else "
        "as the run’s own data is read.",
    ),
]
_Rows = Annotated[
    int, typer.Option("--rows", min=0, help="At most so many inputs; 0 for all.")
]
_Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        metavar="CHECKPOINT_OR_DIR",
        help="A checkpoint such as step-40, or a merged model, beside the two; may be "
        "repeated.",
    ),
]
_MostTokens = Annotated[
    int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")
]
_Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where the report goes instead."),
]
_Lowercase = Annotated[
    bool, typer.Option("--lowercase", help="BLEU looks at no capitals.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def evaluate(  # noqa: PLR0913 - a command line has the options it has
    run: _Run,
    data: _Data = "",
    *,
    columns: _Columns = None,
    rows: _Rows = 0,
    also: _Also = None,
    max_new_tokens: _MostTokens = 128,
    out: _Out = None,
    lowercase: _Lowercase = False,
    json: _Json = False,
) -> None:
    """Measure base and tuned model on held-out rows: loss, BLEU, ROUGE-L and more."""
    directory = find_run(run)
    arguments = ["--rows", str(rows), "--max-new-tokens", str(max_new_tokens)]
    arguments += ["--data", _here(data)] if data else []
    arguments += [f"--columns={word}" for word in columns or ()]
    arguments += [f"--also={word}" for word in also or ()]
    arguments += ["--out", str(out.expanduser().absolute())] if out else []
    arguments += ["--lowercase"] if lowercase else []
    with terminal.ProgressDisplay() as display:
        told = run_engine(
            "evaluate",
            str(directory.path),
            *arguments,
            listener=RunReport(directory, display).hear,
        )
    assert isinstance(told, Evaluated)
    if json:
        report = Path(told.report).read_text(encoding="utf-8")
        terminal.say_json(documents.loads(report))
    else:
        _say(read_kept(Path(told.report)))


def _here(data: str) -> str:
    """The file that is meant, also where a data set of the hub was fetched."""
    return with_data_here(Recipe().with_value("data.path", data)).data.path


def _say(kept: Kept) -> None:
    found = kept.evaluation
    terminal.say(f"{found.run} on {found.source}: {found.inputs:,} inputs")
    terminal.say()
    terminal.say_table(_header(found), [_row(found, each) for each in found.measures])
    terminal.say()
    if found.is_few:
        terminal.say(f"Below {FEWEST} inputs no difference is judged.")
    terminal.say(f"Report  {kept.page}")


def _header(found: Evaluation) -> list[str]:
    cells = [""]
    for voice in found.voices:
        cells.append(voice.title)
        if voice.name != BASE:
            cells.append("against base")
    return cells


def _row(found: Evaluation, measure: Measure) -> list[str]:
    cells = [measure.words]
    for voice in found.voices:
        cells += _cells(voice, measure)
    return cells


def _cells(voice: Voice, measure: Measure) -> list[str]:
    figure = voice.figures.get(measure)
    value = measure.shown(None if figure is None else figure.value)
    if voice.name == BASE:
        return [value]
    if figure is None or figure.change is None:
        return [value, "–"]
    verdict = figure.change.verdict(measure)
    return [value, f"{figure.change.interval(measure)}: {verdict.value}"]
