"""`snugtune data`: the commands about data sets."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli import (
    data_fixing,
    data_inspecting,
    data_preview,
    drafting,
    fetching,
    reviewing,
)
from studio.domain.recipe import Recipe
from studio.services.hub_data import with_data_here
from studio.storage.draft_making import MOST_QUESTIONS

app = typer.Typer(
    help="Look at data sets, check and mend them, and make new ones.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DataPath = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A data file, a folder of them, or hub:owner/name."
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set an option of the recipe, such as data.columns or "
        "train.sequence_length; may be repeated.",
    ),
]
Model = Annotated[
    str, typer.Option("--model", help="A model of the list, a folder or a hub id.")
]
Against = Annotated[
    Path | None,
    typer.Option(
        "--against",
        metavar="HELD-OUT",
        help="A second file that is held out, for data.overlap.",
    ),
]


@app.command(epilog=fetching.EPILOG)
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as hub:owner/name.")
    ],
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Ask the hub even if it is here.")
    ] = False,
    json: Json = False,
) -> None:
    """Fetch a data set from the Hugging Face hub, once."""
    fetching.fetch(name, again=again, json=json)


@app.command(epilog=data_inspecting.EPILOG)
def inspect(
    file: DataPath,
    model: Model = "",
    assignments: Assignments = None,
    against: Against = None,
    *,
    json: Json = False,
) -> None:
    """Check a whole data set; with a model, as its tokenizer counts."""
    recipe = _recipe_for(file, assignments)
    raise typer.Exit(data_inspecting.inspect(recipe, model, against, json=json))


@app.command(epilog=data_preview.EPILOG)
def preview(
    file: DataPath,
    model: Model,
    row: Annotated[
        int, typer.Option("--row", min=1, help="Its line, or its number in a table.")
    ] = 1,
    assignments: Assignments = None,
    *,
    json: Json = False,
) -> None:
    """Show one row as a model reads it, token by token, and what is learnt."""
    data_preview.preview(_recipe_for(file, assignments), model, row, json=json)


@app.command(epilog=data_fixing.EPILOG)
def fix(  # noqa: PLR0913 - a command line has the options it has
    file: DataPath,
    codes: Annotated[
        str, typer.Option("--codes", metavar="A,B", help="The findings to mend.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="NEW.jsonl", help="The new file.")
    ],
    assignments: Assignments = None,
    model: Model = "",
    against: Against = None,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a new file with findings mended; the old one stays as it is."""
    order = data_fixing.FixOrder(
        recipe=_recipe_for(file, assignments),
        codes=data_fixing.codes_of(codes),
        out=out.expanduser().absolute(),
        model=model,
        against=against and against.expanduser().absolute(),
        overwrite=overwrite,
    )
    data_fixing.fix(order, json=json)


@app.command(epilog=drafting.JSON_HELP)
def make(  # noqa: PLR0913 - a command line has the options it has
    documents: Annotated[
        list[Path], typer.Argument(metavar="DOC...", help="Documents, or folders.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DRAFTS.jsonl",
            help="The file of drafts; added to.",
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", help="A local model; the example’s by default.")
    ] = "",
    address: Annotated[
        str, typer.Option("--address", help="An OpenAI-compatible address instead.")
    ] = "",
    api_model: Annotated[
        str, typer.Option("--api-model", help="The model’s name at the address.")
    ] = "",
    questions: Annotated[
        int,
        typer.Option(
            "--questions", min=1, max=MOST_QUESTIONS, help="About each passage."
        ),
    ] = 1,
    *,
    allow_http: Annotated[
        bool,
        typer.Option("--allow-http", help="Take an address that isn’t encrypted."),
    ] = False,
    json: Json = False,
) -> None:
    """Draft questions and answers from documents, for you to review."""
    maker = drafting.Maker(model, address, api_model, allow_http)
    raise typer.Exit(drafting.make(documents, out, maker, questions, json=json))


@app.command(epilog=reviewing.JSON_HELP)
def review(
    drafts: Annotated[
        Path, typer.Argument(metavar="DRAFTS.jsonl", help="What data make wrote.")
    ],
    *,
    json: Json = False,
) -> None:
    """Accept or reject drafts one by one."""
    reviewing.review(drafts, json=json)


def _recipe_for(file: Path, assignments: list[str] | None) -> Recipe:
    recipe = Recipe().with_value("data.path", str(fetching.file_here(file)))
    for assignment in assignments or ():
        recipe = recipe.with_typed(assignment)
    return with_data_here(recipe)
