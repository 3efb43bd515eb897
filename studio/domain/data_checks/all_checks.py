"""The list of all checks."""

from dataclasses import dataclass
from typing import Self

from studio.domain.data_checks.check import Check
from studio.domain.data_checks.dominance import DominantAnswer, DominantVerdict
from studio.domain.data_checks.duplicates import Duplicates
from studio.domain.data_checks.encoding import (
    ControlCharacters,
    EncodingDamage,
    LostCharacters,
)
from studio.domain.data_checks.form import FewRows, FormGuessed, MixedForms
from studio.domain.data_checks.left_out import LeftOut
from studio.domain.data_checks.markup import Markup
from studio.domain.data_checks.overlap import Overlap
from studio.domain.data_checks.reviews import Unreviewed
from studio.domain.data_checks.row_key import RowKeys
from studio.domain.data_checks.sensitive import PersonalData, Secrets
from studio.domain.data_checks.tokens import AllMasked, NoEnd, TemplateMarks, TooLong
from studio.domain.data_checks.turns import EmptyTurns, RoleOrder
from studio.domain.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """What is found in a data set depends on, beside its rows.

    Attributes:
        sequence_length: In tokens.
        held_out: The share of the rows that is held out, 0 to 0.5.
        seed: That chooses them.
        marks_answers: Whether the chat template marks what the assistant generates;
            None without a template.
    """

    sequence_length: int
    held_out: float = 0.0
    seed: int = 0
    marks_answers: bool | None = None

    @classmethod
    def of(cls, recipe: Recipe, *, marks_answers: bool | None = None) -> Self:
        """What a recipe says."""
        return cls(
            sequence_length=recipe.train.sequence_length,
            held_out=recipe.data.share_held_out,
            seed=recipe.train.seed,
            marks_answers=marks_answers,
        )


def all_checks(
    settings: CheckSettings, *, form: str = "", confidence: float = 1.0
) -> list[Check]:
    """New checks for one data set.

    Args:
        settings: Of the run that it is for.
        form: How its rows are recognised, in words.
        confidence: Of that, 0 to 1; 1 when the user chose.
    """
    keys = RowKeys()
    return [
        LeftOut(),
        FormGuessed(form, confidence),
        MixedForms(),
        FewRows(),
        EmptyTurns(),
        RoleOrder(),
        Duplicates(keys),
        Overlap(keys, settings.held_out, settings.seed),
        EncodingDamage(),
        ControlCharacters(),
        LostCharacters(),
        Markup(),
        DominantAnswer(),
        DominantVerdict(),
        Unreviewed(),
        PersonalData(),
        Secrets(),
        TooLong(settings.sequence_length),
        AllMasked(settings.sequence_length),
        NoEnd(),
        TemplateMarks(marks_answers=settings.marks_answers),
    ]
