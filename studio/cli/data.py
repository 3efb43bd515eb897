"""`snugtune data`: the commands about data sets."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli import data_fixing

app = typer.Typer(
    help="Look at data sets, check and mend them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DataPath = Annotated[
    Path, typer.Argument(metavar="FILE", help="A data file or a folder of them.")
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


@app.command(epilog=data_fixing.EPILOG)
def fix(
    file: DataPath,
    codes: Annotated[
        str, typer.Option("--codes", metavar="A,B", help="The findings to mend.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="NEW.jsonl", help="The new file.")
    ],
    assignments: Assignments = None,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a new file with findings mended; the old one stays as it is."""
    data_fixing.fix(file, codes, out, assignments, overwrite=overwrite, json=json)
