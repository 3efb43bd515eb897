"""What a schedule can't be asked for: each clash names both options and a way out."""

from studio.domain.finding import Finding, error
from studio.domain.recipe_options import Schedule, TrainOptions

_ENDS_AT_A_FLOOR = frozenset({Schedule.COSINE, Schedule.LINEAR, Schedule.POLYNOMIAL})


def schedule_clashes(train: TrainOptions) -> list[Finding]:
    """Every pair of a schedule's options that can't hold together."""
    found: list[Finding] = []
    if train.floor and train.schedule not in _ENDS_AT_A_FLOOR:
        kinds = "cosine, linear or polynomial"
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
    if train.schedule is Schedule.INVERSE_SQRT and not train.warmup:
        found.append(
            _clash(
                "train.warmup",
                "train.schedule",
                "An inverse square root falls in proportion to the warm-up's length.",
                "Set train.warmup to 0.05, or train.schedule to cosine.",
            )
        )
    return found


def _clash(first: str, second: str, why: str, fix: str) -> Finding:
    what = f"{first} and {second} can't hold together."
    return error("recipe.contradiction", what, why=why, fix=fix, where=first)
