"""A value that isn't accepted is told without the words of a library."""

import re
from enum import Enum

import pytest
from typer.main import get_command

from studio import cli
from studio.cli.commands import app
from studio.domain.errors import ExitCode

RESIDUE = re.compile(r"Value error|Input should|unable to parse|Assertion|pydantic")


def _commands(command, path=()):
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
    for name, each in (inner or {}).items():
        yield from _commands(each, (*path, name))


def _is_judged(parameter):
    kind = parameter.type_descriptor.annotation
    return kind in {int, float} or (isinstance(kind, type) and issubclass(kind, Enum))


OPTIONS = [
    (*path, parameter.opts[0])
    for path, command in _commands(get_command(app))
    for parameter in command.params
    if _is_judged(parameter) and parameter.opts[0].startswith("--")
]


def refused(arguments, capsys):
    """What a command says aside that was misused."""
    assert cli.main(arguments) == ExitCode.USAGE
    said = capsys.readouterr()
    assert not said.out
    return " ".join(said.err.split())


@pytest.mark.parametrize("option", OPTIONS, ids=" ".join)
def test_that_no_option_refuses_a_value_in_the_words_of_a_library(option, capsys):
    said = refused([*option, "guess"], capsys)
    assert f"Invalid value for '{option[-1]}': " in said
    assert "guess" in said.rpartition("Invalid value")[2]
    assert not RESIDUE.search(said)


def test_that_options_of_each_kind_are_looked_at():
    assert ("estimate", "--basis") in OPTIONS
    assert ("models", "--vram") in OPTIONS
    assert ("generate", "--max-new-tokens") in OPTIONS


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["estimate", "--basis", "guess"],
            "'guess' is not one of 'formula', 'dry-run'",
        ),
        (["models", "--vram", "much"], "“much” is not a number."),
        (["models", "--vram", "0"], "“0” is not accepted; give 0.1 or more."),
        (["models", "--vram", "1e9"], "“1e9” is not accepted; give at most 512."),
        (["queue", "move", "1", "half"], "'PLACE': “half” is not a whole number."),
    ],
)
def test_that_what_would_be_accepted_is_said(arguments, words, capsys):
    assert words in refused(arguments, capsys)
