"""An adapter that was trained in a form of its own is handed over as plain LoRA.

So anyone can load it on the base as it is, and merging, asking and comparing know no
other kind.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from studio.engine.adaptive_rank.directions import hand_over_directions
from studio.engine.starting.pissa import hand_over_difference

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun


def hand_over(adapter: Path, run: "TrainingRun") -> None:
    """Let a run's saved adapter be LoRA; one that is already stays as it is.

    Args:
        adapter: A folder that is being filled.
        run: Whose it is.
    """
    hand_over_difference(adapter, run.start)
    hand_over_directions(adapter, run.model)
