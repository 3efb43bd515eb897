"""What ``combine`` does: several adapters in, one adapter out, whole or not at all.

The folder that it makes is laid out as a run's, with a recipe that says which base it
belongs on and how that is held, so whatever takes a run takes it. Neither the base's
weights nor its configuration are read, and memory holds one layer of each adapter.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.domain.combining import Combination, way_of, weights_of
from studio.domain.errors import StudioError, refusal
from studio.domain.run import Phase
from studio.domain.waypoints import passing
from studio.engine.combining.about import About, write_about
from studio.engine.combining.agreement import (
    base_of,
    doubts,
    refuse_disagreement,
    revision_of,
)
from studio.engine.combining.layers import announced, sizes_of, write_layers
from studio.engine.combining.parts import Part, part_at
from studio.engine.combining.result import config_of, recipe_for, tokenizer_for
from studio.engine.exporting.privacy import refuse_private
from studio.engine.merging.plan import ADAPTER_WEIGHTS
from studio.engine.session import Session
from studio.engine.staging import need_space, whole_folder
from studio.engine.tokenizer_loading import Tokenizer
from studio.protocol.export_events import Combined
from studio.storage.recipes import save_recipe
from studio.storage.run_directory import RUNS, RunDirectory
from studio.storage.safetensors_writing import SafetensorsWriter
from studio.system.paths import projects_dir

# Tokenizer, configuration and card.
_REST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineOrder:
    """What is asked for.

    Attributes:
        adapters: Folders of runs or adapters.
        combination: By which they become one.
        out: The folder to make, absolute.
        base: What the recipe calls the base; empty for what the runs call it.
        overwrite: An earlier combination that lies there makes room.
    """

    adapters: tuple[Path, ...]
    combination: Combination
    out: Path
    base: str = ""
    overwrite: bool = False


def order_of(arguments: argparse.Namespace) -> CombineOrder:
    """What a command line asks for.

    Raises:
        StudioError: There is no such way, or a weight is no number.
    """
    return CombineOrder(
        adapters=tuple(each.expanduser() for each in arguments.adapters),
        combination=Combination(
            way=way_of(arguments.how),
            weights=weights_of(arguments.weights),
            density=arguments.density,
            seed=arguments.seed,
            rank=arguments.rank,
        ),
        out=arguments.out.expanduser().absolute(),
        base=arguments.base,
        overwrite=arguments.overwrite,
    )


def combine(session: Session, order: CombineOrder) -> None:
    """Combine adapters and write the result, whole or not at all.

    Args:
        session: Where to report.
        order: What is asked for.

    Raises:
        StudioError: The adapters can't be combined so, the place is taken, or the
            disk refuses.
    """
    combination = order.combination.check(len(order.adapters))
    _check_place(order)
    with session.lifeline.open():
        session.enter(Phase.COMBINING)
        parts = [part_at(path) for path in order.adapters]
        refuse_disagreement(parts, combination)
        tokenizer = tokenizer_for(parts, order.base)
        for doubt in doubts(parts):
            session.warn(doubt)
        run = RunDirectory(order.out)
        rank, distance = _write(session, parts, tokenizer, order)
    files = [file for file in run.path.rglob("*") if file.is_file()]
    session.say(
        Combined(
            path=str(run.path),
            adapter=str(run.adapter_path),
            how=combination.way.value,
            rank=rank,
            size_bytes=sum(file.stat().st_size for file in files),
            distance=distance,
        )
    )


def _write(
    session: Session, parts: Sequence[Part], tokenizer: Tokenizer, order: CombineOrder
) -> tuple[int, float | None]:
    """Fill the folder.

    Returns:
        The rank of what came of it, and how far from the weighted sum that is.
    """
    sizes = sizes_of(parts, order.combination)
    rank = max(layer.rank for layer in sizes.values())
    tensors = list(announced(sizes, rank))
    written = sum(each.size_bytes for each in tensors)
    need_space(order.out.parent, written + _REST_BYTES, "The combined adapter")
    with whole_folder(order.out, replace=order.overwrite) as folder:
        draft = RunDirectory(folder).adapter_path
        draft.mkdir()
        with SafetensorsWriter(draft / ADAPTER_WEIGHTS, tensors) as writer:
            distance = write_layers(session, parts, order.combination, rank, writer)
        passing("combine.weights")
        base, revision = base_of(parts), revision_of(parts)
        config_of(parts, sizes, rank).save_pretrained(str(draft))
        tokenizer.save_pretrained(draft)
        write_about(
            draft, About(parts, order.combination, base, revision, rank, distance)
        )
        passing("combine.card")
        refuse_private(draft)
        recipe = recipe_for(parts, order.base, rank)
        save_recipe(RunDirectory(folder).recipe_path, recipe)
    return rank, distance


def _check_place(order: CombineOrder) -> None:
    out = RunDirectory(order.out)
    for path in order.adapters:
        if out.path.resolve() in {path.resolve(), path.resolve().parent}:
            raise _taken(out, "One of the adapters lies there.", "")
    if out.path.parent.name == RUNS and out.path.parents[2] == projects_dir():
        raise _taken(out, "A project keeps its runs in this folder.", "")
    if not out.path.exists() or (out.path.is_dir() and not any(out.path.iterdir())):
        return
    if not out.is_combined or out.journal_path.exists():
        raise _taken(out, "Something lies there that wasn’t combined by Snugtune.", "")
    if not order.overwrite:
        raise _taken(out, "An earlier combination lies there.", ", or add --overwrite")


def _taken(out: RunDirectory, what: str, more: str) -> StudioError:
    return refusal(
        "combine.place-taken",
        what,
        why="It was left as it is.",
        fix=f"Give it another name or folder{more}.",
        where=str(out.path),
    )
