"""What attention in groups can't be asked for."""

from typing import TYPE_CHECKING

from studio.domain.finding import Finding, error
from studio.domain.recipe_options import Attention

if TYPE_CHECKING:
    from studio.domain.recipe import Recipe


def attention_clashes(recipe: "Recipe") -> list[Finding]:
    """Every pair of options with attention that can't hold together."""
    if recipe.model.attention is not Attention.SHIFTED or not recipe.train.packing:
        return []
    return [
        error(
            "recipe.contradiction",
            "model.attention = shifted and train.packing can't hold together.",
            why="Groups would join the chats that share a row.",
            fix="Set train.packing to false; shifted groups are for long rows.",
            where="train.packing",
        )
    ]
