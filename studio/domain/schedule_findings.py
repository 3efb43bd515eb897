"""What a schedule can't be asked for: each clash names both options and a way out."""

from studio.domain.finding import Finding, Severity, error
from studio.domain.train_options import DECAY_SHARE, Schedule, TrainOptions

_WITHOUT_FLOOR = frozenset({Schedule.CONSTANT, Schedule.INVERSE_SQRT})


def schedule_clashes(train: TrainOptions) -> list[Finding]:
    """Every pair of a schedule's options that can't hold together."""
    found: list[Finding] = []
    if train.floor and train.schedule in _WITHOUT_FLOOR:
        kinds = "cosine, linear, polynomial or hold_and_decay"
        found.append(
            _clash(
                "train.floor",
                "train.schedule",
                f"Only a {kinds} schedule ends at a floor.",
                f"Set train.floor to 0, or train.schedule to {kinds}.",
            )
        )
    if train.restarts and train.schedule is not Schedule.COSINE:
        found.append(
            _clash(
                "train.restarts",
                "train.schedule",
                "Only a cosine schedule begins anew.",
                "Set train.restarts to 0, or train.schedule to cosine.",
            )
        )
    if train.restarts and train.floor:
        found.append(
            _clash(
                "train.restarts",
                "train.floor",
                "Each fall of a schedule that begins anew ends at zero.",
                "Set one of them to 0.",
            )
        )
    if train.schedule is Schedule.INVERSE_SQRT and not train.warming_up:
        found.append(
            _clash(
                "train.warmup",
                "train.schedule",
                "An inverse square root falls in proportion to the warm-up's length.",
                "Set train.warmup to 0.05, or train.schedule to cosine.",
            )
        )
    if 0 < train.max_steps <= train.warmup_steps:
        found.append(
            _clash(
                "train.warmup_steps",
                "train.max_steps",
                "The run would end before its learning rate has risen.",
                "Set train.warmup_steps lower than train.max_steps.",
            )
        )
    return found


def schedule_remarks(train: TrainOptions) -> list[Finding]:
    """What of a schedule is not followed although it is set."""
    found: list[Finding] = []
    if train.warmup_steps and train.warmup not in {0.0, TrainOptions().warmup}:
        found.append(
            Finding(
                code="recipe.warmup",
                severity=Severity.INFO,
                what="train.warmup_steps takes the place of train.warmup.",
                why="A warm-up has one length.",
                how_to_fix="Set train.warmup_steps to 0 to go by the share.",
                where="train.warmup",
            )
        )
    holds = train.schedule is Schedule.HOLD_AND_DECAY
    if train.decay_share != DECAY_SHARE and not holds:
        found.append(
            Finding(
                code="recipe.decay-share",
                severity=Severity.INFO,
                what="train.decay_share is without effect.",
                why=f"A {train.schedule.value} schedule has no last part of its own.",
                how_to_fix="Set train.schedule to hold_and_decay.",
                where="train.decay_share",
            )
        )
    return found


def _clash(first: str, second: str, why: str, fix: str) -> Finding:
    what = f"{first} and {second} can't hold together."
    return error("recipe.contradiction", what, why=why, fix=fix, where=first)
