"""`snugtune combine`: adapters of several runs of one base as one adapter."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.combining import (
    DENSITY,
    Combination,
    Way,
    distance_words,
    even_weights,
    way_of,
    weights_of,
)
from studio.domain.errors import StudioError
from studio.protocol.codec import heard
from studio.protocol.events import EngineEvent, Progress, Warned
from studio.protocol.export_events import Combined
from studio.services.combining import VERB, combine_arguments
from studio.services.library import find_run

HELP = "Ways of --how:\n\n" + "\n\n".join(f"{way}: {way.meaning}" for way in Way)

Adapters = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN_OR_ADAPTER...",
        help="Runs, by name or folder, or adapters’ folders.",
    ),
]
Out = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="The folder to write; adapter/ in it."),
]
How = Annotated[str, typer.Option("--how", metavar="WAY", help="See below.")]
Weights = Annotated[
    str,
    typer.Option("--weights", metavar="W1,W2", help="One for each; even shares of 1."),
]
Density = Annotated[
    float,
    typer.Option("--density", help="The share that ties and dare keep."),
]
Seed = Annotated[int, typer.Option("--seed", help="Of what dare drops.")]
Rank = Annotated[
    int,
    typer.Option(
        "--rank", help="That ways of svd cut to; 0 for the adapters’ highest."
    ),
]
Base = Annotated[
    str,
    typer.Option("--base", help="The base, where no run is here that names it."),
]


def combine(  # noqa: PLR0913, PLR0917 - a command line has the options it has
    adapters: Adapters,
    out: Out,
    how: How = Way.CAT.value,
    weights: Weights = "",
    density: Density = DENSITY,
    seed: Seed = 0,
    rank: Rank = 0,
    base: Base = "",
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier combination.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.")
    ] = False,
) -> None:
    """Combine adapters of one base into one adapter.

    The folder is taken wherever a run is: by merge, export, chat, evaluate, verify
    --run and combine. What is handed on is adapter/ in it.
    """
    combination = Combination(
        way=way_of(how),
        weights=weights_of(weights) if weights else even_weights(len(adapters)),
        density=density,
        seed=seed,
        rank=rank,
    ).check(len(adapters))
    places = [_place(each) for each in adapters]
    target = out.expanduser().absolute()
    order = combine_arguments(places, combination, target)
    order += ["--base", base] if base else []
    order += ["--overwrite"] if overwrite else []
    made = _combine(order)
    if json:
        terminal.say_json(document(made))
    else:
        _say(made)


def document(made: Combined) -> dict[str, object]:
    """What was made, for programs."""
    return {
        "path": made.path,
        "adapter": made.adapter,
        "how": made.how,
        "rank": made.rank,
        "bytes": made.size_bytes,
        "distance": made.distance,
    }


def _place(name: str) -> Path:
    """The folder of a run, or of an adapter that no run holds."""
    folder = Path(name).expanduser()
    try:
        return find_run(name).path
    except StudioError:
        if not folder.is_dir():
            raise
        return folder.absolute()


def _combine(arguments: list[str]) -> Combined:
    with terminal.ProgressDisplay() as display:

        def hear(event: EngineEvent) -> None:
            match event:
                case Progress(stage=stage, done=done, total=total):
                    display.show(stage, done, total)
                case Warned(finding=finding):
                    terminal.say_finding(heard(finding))
                case _:
                    pass

        made = run_engine(VERB, *arguments, listener=hear)
    assert isinstance(made, Combined)
    return made


def _say(made: Combined) -> None:
    terminal.say(f"Adapter       {made.adapter}")
    terminal.say(f"Rank          {made.rank}")
    terminal.say(distance_words(made.distance))
