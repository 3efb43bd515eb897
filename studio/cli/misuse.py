"""What was typed for an option and isn't accepted, without the words of a library.

typer hands on what pydantic says of a value, such as “Value error, 'guess' is not one
of …” or “Input should be a valid number, unable to parse string as a number”.
"""

import typer
from typer.core import TyperGroup

_NUMBERS = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
}
_BOUNDS = {
    "greater_than_equal": "give {ge:g} or more",
    "less_than_equal": "give at most {le:g}",
}


class PlainGroup(TyperGroup):
    """The commands of a program, with refusals of their values put into words."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer exports no other class of contexts
        """Carry a command out.

        Raises:
            BadParameter: A value isn't accepted; its message says why.
        """
        try:
            return super().invoke(ctx)
        except typer.BadParameter as refused:
            refused.message = _plain(refused)
            raise


def _plain(refused: typer.BadParameter) -> str:
    from pydantic import ValidationError

    if not isinstance(refused.__cause__, ValidationError):
        return refused.message
    first = refused.__cause__.errors(include_url=False)[0]
    kind, typed, told = first["type"], first["input"], first.get("ctx", {})
    if kind in _NUMBERS:
        return f"“{typed}” is not {_NUMBERS[kind]}."
    if kind in _BOUNDS:
        return f"“{typed}” is not accepted; {_BOUNDS[kind].format(**told)}."
    return str(told.get("error", refused.message))
