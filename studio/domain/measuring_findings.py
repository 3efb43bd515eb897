"""What can't be asked of a run's measurements: each clash names a way out."""

from studio.domain.data_options import DataOptions
from studio.domain.finding import Finding, Severity, error
from studio.domain.train_options import TrainOptions


def measuring_clashes(train: TrainOptions, data: DataOptions) -> list[Finding]:
    """What would be measured, or waited for, and never is."""
    found: list[Finding] = []
    if train.eval_steps and not data.measures:
        found.append(
            _clash(
                "train.eval_steps",
                "train.eval_steps measures on held-out rows, "
                "but data.held_out keeps none.",
                "Set data.held_out to 0.05, or train.eval_steps to 0.",
            )
        )
    if train.patience and not data.measures:
        found.append(
            _clash(
                "train.patience",
                "train.patience waits for a better held-out loss, "
                "but data.held_out keeps no rows to measure on.",
                "Set data.held_out to 0.05, or train.patience to 0.",
            )
        )
    elif train.patience and not train.eval_steps:
        found.append(
            _clash(
                "train.patience",
                "train.patience counts measurements, but train.eval_steps makes none.",
                "Set train.eval_steps to 50, or train.patience to 0.",
            )
        )
    return found


def measuring_remarks(train: TrainOptions, data: DataOptions) -> list[Finding]:
    """What of it is not followed although it is set."""
    if not train.keep_best or (train.eval_steps and data.measures):
        return []
    is_blind = not data.measures
    return [
        Finding(
            code="recipe.keep-best",
            severity=Severity.INFO,
            what="train.keep_best is without effect: nothing is there to choose from.",
            why="No rows are held back to measure on."
            if is_blind
            else "With train.eval_steps at 0 no step but the last is measured.",
            how_to_fix="Set data.held_out to 0.05 and train.eval_steps to 50."
            if is_blind
            else "Set train.eval_steps to 50.",
            where="train.keep_best",
        )
    ]


def _clash(where: str, what: str, fix: str) -> Finding:
    return error("recipe.contradiction", what, fix=fix, where=where)
