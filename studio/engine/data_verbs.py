"""The engine's verbs about data, each from its arguments to its last word."""

import argparse
from pathlib import Path

from studio.domain.recipe import Recipe
from studio.engine.model_places import place_of
from studio.engine.session import Session
from studio.storage.recipes import load_recipe


def inspect_data(session: Session, arguments: argparse.Namespace) -> None:
    """Check a data set, row by row."""
    from studio.engine import data_inspection

    place = place_of(arguments.model) if arguments.model else None
    with session.lifeline.open():
        subject = data_inspection.Subject(_recipe_about(arguments.data), place)
        found = data_inspection.inspect_data(session, subject)
    session.say(found)


def fix_data(session: Session, arguments: argparse.Namespace) -> None:
    """Write a new file with findings mended."""
    from studio.engine import data_mending
    from studio.engine.data_inspection import Subject

    subject = Subject(_recipe_about(arguments.data), place_of(arguments.model))
    order = data_mending.MendOrder(
        codes=tuple(arguments.codes.split(",")),
        out=arguments.out,
        against=arguments.against,
        overwrite=arguments.overwrite,
    )
    with session.lifeline.open():
        fixed = data_mending.fix_data(session, subject, order)
    session.say(fixed)


def show_rows(session: Session, arguments: argparse.Namespace) -> None:
    """Tell rows' tokens, as asked for."""
    from studio.engine import row_showing

    place = place_of(arguments.model)
    with session.lifeline.open():
        row_showing.show_rows(session, _recipe_about(arguments.data), place)


def _recipe_about(data: Path) -> Recipe:
    """The recipe of a file, or one that names nothing but the data."""
    if data.suffix == ".toml":
        return load_recipe(data)
    return Recipe().with_value("data.path", str(data))
