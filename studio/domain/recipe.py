"""The recipe: everything that decides what a training run does.

A recipe is frozen; a change makes a new one. Its fields are the option table, its
document form is what `recipe.toml` holds, and contradictions between options are
named in one place, `contradictions`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from studio.domain.adapter_findings import adapter_clashes
from studio.domain.adaptive_rank import too_few_steps
from studio.domain.attention_findings import attention_clashes
from studio.domain.compat_options import CompatOptions
from studio.domain.data_options import DataOptions
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, Severity, error
from studio.domain.judgement_findings import judgement_clashes, judgement_remarks
from studio.domain.measuring_findings import measuring_clashes, measuring_remarks
from studio.domain.method_findings import method_clashes
from studio.domain.method_options import Trained
from studio.domain.offloading import offload_clashes
from studio.domain.options import Option, Value, collect
from studio.domain.recipe_options import (
    TARGET_WORDS,
    AdapterDtype,
    ComputeDtype,
    LoraOptions,
    LoraVariant,
    ModelOptions,
    Precision,
)
from studio.domain.schedule_findings import schedule_clashes, schedule_remarks
from studio.domain.train_options import TrainOptions

RECIPE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run, decided in full.

    Attributes:
        model: Which model, and how its weights are held.
        lora: The adapter.
        data: What it learns from.
        train: How.
        compat: Habits of other programs, for predictions alone.
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    lora: LoraOptions = field(default_factory=LoraOptions)
    data: DataOptions = field(default_factory=DataOptions)
    train: TrainOptions = field(default_factory=TrainOptions)
    compat: CompatOptions = field(default_factory=CompatOptions)

    def value(self, key: str) -> Value:
        """The value of an option.

        Raises:
            StudioError: The key is not in the option table.
        """
        option = option_for(key)
        group, _, name = option.key.partition(".")
        value: Value = getattr(getattr(self, group), name)
        return value

    def with_value(self, key: str, value: object) -> Self:
        """The same recipe with one option set.

        Raises:
            StudioError: Unknown key, or a value that the option refuses.
        """
        option = option_for(key)
        group, _, name = key.partition(".")
        changed = replace(getattr(self, group), **{name: option.check(value)})
        return replace(self, **{group: changed})

    def with_values(self, values: Mapping[str, object]) -> Self:
        """The same recipe with several options set, by their keys.

        Raises:
            StudioError: Unknown key, or a value that its option refuses.
        """
        recipe = self
        for key, value in values.items():
            recipe = recipe.with_value(key, value)
        return recipe

    def with_typed(self, assignment: str) -> Self:
        """The same recipe with one ``key=value`` of a command line applied.

        Raises:
            StudioError: No ``=`` in it, no key or an unknown one, or a refused value.
        """
        key, equals, typed = assignment.partition("=")
        if not equals or not key.strip():
            raise refusal(
                "recipe.assignment",
                f"“{assignment}” sets nothing.",
                fix="Write key=value, such as train.epochs=2.",
            )
        key = key.strip()
        return self.with_value(key, option_for(key).parse(typed))

    @property
    def trains_all(self) -> bool:
        """Whether every weight is trained, in the run itself or in what is priced."""
        return self.compat.full_training or self.train.weights is Trained.ALL

    def effective_batch(self) -> int:
        """Rows per optimizer step."""
        return self.train.micro_batch * self.train.accumulation

    def total_steps(self, training_rows: int) -> int:
        """Optimizer steps of the whole run over `training_rows` rows.

        A last incomplete batch of a pass is a step of its own, as in transformers'
        Trainer.
        """
        if self.train.max_steps:
            return self.train.max_steps
        batches = -(-training_rows // self.train.micro_batch)
        steps_a_pass = -(-batches // self.train.accumulation)
        return max(1, math.ceil(steps_a_pass * self.train.epochs))

    def to_values(self) -> dict[str, object]:
        """Every option's plain value by its key, those for comparisons included."""
        return {key: _plain(self.value(key)) for key in (*OPTIONS, *COMPARISONS)}

    def to_document(self) -> dict[str, object]:
        """The recipe as nested plain values, every option spelt out.

        Those for comparisons are there only when they are set.
        """
        document: dict[str, object] = {"version": RECIPE_VERSION}
        for key in (*OPTIONS, *self.compared()):
            group, _, name = key.partition(".")
            table = document.setdefault(group, {})
            assert isinstance(table, dict)
            table[name] = _plain(self.value(key))
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, object], where: str = "") -> Self:
        """Read a recipe from nested plain values of the current version.

        Args:
            document: What `to_document` wrote, or a part of it.
            where: The file's name, for the sentence of an error.

        Raises:
            StudioError: Unknown keys, refused values, contradictions.
        """
        recipe = cls()
        for group, table in document.items():
            if group == "version":
                continue
            if not isinstance(table, Mapping):
                raise _unknown(group, where)
            for name, value in table.items():
                try:
                    recipe = recipe.with_value(f"{group}.{name}", value)
                except StudioError as refused:
                    raise _located(refused, where) from None
        return recipe

    def compared(self) -> tuple[str, ...]:
        """The options that are set to price another program's run."""
        return tuple(key for key in COMPARISONS if self.value(key))

    def remarks(self) -> list[Finding]:
        """What training will not do although the recipe says so."""
        keys = self.compared()
        found = [
            *schedule_remarks(self.train),
            *measuring_remarks(self.train, self.data),
            *judgement_remarks(self),
        ]
        if not keys:
            return found
        return [
            *found,
            Finding(
                code="recipe.compared",
                severity=Severity.INFO,
                what=f"Training ignores {', '.join(keys)}.",
                why="They only price how other programs train.",
                how_to_fix="Remove them from the recipe of a run.",
                where=keys[0],
            ),
        ]

    def contradictions(self) -> list[Finding]:
        """Every pair of options that can't hold together, both named."""
        found: list[Finding] = []
        precision, compute = self.model.precision, self.model.compute_dtype
        half = {Precision.BF16, Precision.FP16}
        if precision in half and compute.value != precision.value:
            wanted = precision.value
            found.append(_clash("model.precision", "model.compute_dtype", wanted))
        scaled = self.lora.adapter_dtype is AdapterDtype.FP32 or self.trains_all
        if compute is ComputeDtype.FP16 and not scaled:
            found.append(_clash("model.compute_dtype", "lora.adapter_dtype", "fp32"))
        found += method_clashes(self)
        targets = self.lora.targets
        if not targets or (len(targets) > 1 and TARGET_WORDS & set(targets)):
            found.append(
                error(
                    "recipe.targets",
                    "The adapted layers are one of all-linear, attention-only and "
                    "mlp-only, or a list of names.",
                    fix="Set lora.targets to all-linear, or name modules.",
                    where="lora.targets",
                )
            )
        return [
            *found,
            *measuring_clashes(self.train, self.data),
            *offload_clashes(self.train),
            *attention_clashes(self),
            *adapter_clashes(self.model, self.lora),
            *self._course_clashes(),
            *judgement_clashes(self),
            *schedule_clashes(self.train),
        ]

    def _course_clashes(self) -> list[Finding]:
        """What a number of steps can't do; where passes decide it, data must tell."""
        steps = self.train.max_steps
        spreads = self.lora.variant is LoraVariant.ADALORA and not self.trains_all
        finding = too_few_steps(steps) if spreads and steps else None
        return [] if finding is None else [finding]


_ALL: Mapping[str, Option] = collect(Recipe)
OPTIONS: Mapping[str, Option] = MappingProxyType(
    {key: option for key, option in _ALL.items() if option.group != "compat"}
)
COMPARISONS: Mapping[str, Option] = MappingProxyType(
    {key: option for key, option in _ALL.items() if option.group == "compat"}
)


def option_for(key: str) -> Option:
    """The option of that key.

    Raises:
        StudioError: There is none; the nearest key is named.
    """
    if key in _ALL:
        return _ALL[key]
    raise _unknown(key, "")


def _unknown(key: str, where: str) -> StudioError:
    from difflib import get_close_matches

    near = get_close_matches(key, _ALL, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "See snugtune train --help."
    return refusal(
        "recipe.key", f"There is no option “{key}”.", fix=hint, where=where or key
    )


def _located(refused: StudioError, where: str) -> StudioError:
    finding = refused.finding
    place = f"{where}, {finding.where}" if where else finding.where
    return StudioError(replace(finding, where=place), refused.exit_code)


def _clash(first: str, second: str, needed: str) -> Finding:
    return error(
        "recipe.contradiction",
        f"{first} and {second} can't hold together.",
        why="Gradients would be lost between the two formats.",
        fix=f"Set {second} to {needed}.",
        where=second,
    )


def _plain(value: Value) -> object:
    if isinstance(value, StrEnum):
        return value.value
    return list(value) if isinstance(value, tuple) else value
