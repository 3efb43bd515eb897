"""The card of what is handed on: the run's own, with how it went and how to load it."""

from collections.abc import Iterator, Mapping, Sequence

from studio.domain.parity import LIMITS, Parity
from studio.domain.recipe import Recipe
from studio.engine.exporting.course import Course
from studio.engine.model_card import options_listed

CURVE = "loss.svg"
_RECIPE, _VERSIONS = "\n## Recipe\n", "\n## Versions\n"
_TABLE = "| Option | Value |\n|---|---|\n"
_MOST_ROWS = 12
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_WH_J = 3600.0


def shared_card(card: str, recipe: Recipe, sections: Sequence[str]) -> str:
    """Put sections into a card, before its recipe.

    The recipe's table is written anew: cards of earlier versions named folders in it.

    Args:
        card: As `studio.engine.model_card` wrote it; what else it says is kept.
        recipe: Of the run.
        sections: In Markdown, each with its heading.
    """
    before, found, rest = card.partition(_RECIPE)
    _, _, versions = rest.partition(_VERSIONS)
    own = "".join(f"\n{section.strip()}\n" for section in sections if section)
    if not found:
        return f"{before.rstrip()}\n{own}"
    table = _TABLE + "\n".join(options_listed(recipe)) + "\n"
    return f"{before}{own}{_RECIPE}\n{table}{_VERSIONS}{versions}"


def base_section(config: Mapping[str, object], licence: str) -> str:
    """What an adapter belongs on.

    Args:
        config: The adapter's configuration.
        licence: Of the base; empty where unknown.
    """
    name, revision = config.get("base_model_name_or_path"), config.get("revision")
    at = f" at commit `{revision}`" if revision else ""
    under = f"its licence is {licence}" if licence else "its licence isn’t known here"
    return f"## Base\n\n`{name}`{at}; {under}."


def training_section(course: Course, *, has_curve: bool) -> str:
    """How the run went, as a picture and in figures; empty where nothing was told."""
    parts = [] if not has_curve else [f"![Loss by step]({CURVE})"]
    if table := "\n".join(_losses(course)):
        parts.append(table)
    if told := " ".join(_hardware(course)):
        parts.append(told)
    return "\n\n".join(["## Training", *parts]) if parts else ""


def loading_section(config: Mapping[str, object]) -> str:
    """How an adapter is loaded, from the folder that it lies in."""
    name = str(config.get("base_model_name_or_path", ""))
    if "/" in name:
        return _code(
            "from peft import AutoPeftModelForCausalLM",
            "from transformers import AutoTokenizer",
            "",
            'folder = "adapter"  # where this file lies',
            "model = AutoPeftModelForCausalLM.from_pretrained(folder)",
            "tokenizer = AutoTokenizer.from_pretrained(folder)",
        )
    return _code(
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "adapter"  # where this file lies',
        f'base = AutoModelForCausalLM.from_pretrained("{name}")  # where the base lies',
        "model = PeftModel.from_pretrained(base, folder)",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    )


def certificate_section(parity: Parity, page: str) -> str:
    """What the comparison with the trained model found."""
    found, limits = parity.distance, LIMITS[parity.format]
    verdict = "says" if parity.is_proven else "**doesn’t say**"
    said = (
        f"Compared with base and adapter, this model {verdict} what was trained "
        f"(`{page}` tells all of it)."
    )
    rows = (
        ("Compared", "Found", "Limit"),
        ("---", "---", "---"),
        (
            f"Same next token, of {found.tokens:,}",
            f"{found.agreement:.2%}",
            f"{limits.agreement:.1%}",
        ),
        (
            "Mean divergence, nats a token",
            f"{found.mean_kl:.2g}",
            f"{limits.mean_kl:.0e}",
        ),
    )
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    wrong = " ".join(each.what for each in parity.findings)
    return "\n\n".join(part for part in ("## Certificate", said, table, wrong) if part)


def merged_loading() -> str:
    """How a merged model is loaded."""
    return _code(
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "merged"  # where this file lies',
        'model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")',
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    )


def _losses(course: Course) -> Iterator[str]:
    measured = _spread(sorted(course.held_out)) or _spread(sorted(course.losses))
    own = {course.saved_step} & course.losses.keys()
    steps = sorted({*measured, *own})
    if not steps:
        return
    yield "| Step | Training loss | Held-out loss |"
    yield "|---|---|---|"
    for step in steps:
        saved = " (saved)" if step == course.saved_step else ""
        told = (course.losses.get(step), course.held_out.get(step))
        cells = ("–" if loss is None else f"{loss:.4f}" for loss in told)
        yield f"| {step:,}{saved} | {' | '.join(cells)} |"


def _spread(steps: list[int]) -> list[int]:
    """So many of them, the first and the last included."""
    if len(steps) <= _MOST_ROWS:
        return steps
    last = len(steps) - 1
    places = {round(each * last / (_MOST_ROWS - 1)) for each in range(_MOST_ROWS)}
    return [steps[place] for place in sorted(places)]


def _hardware(course: Course) -> Iterator[str]:
    if course.device:
        yield f"Trained on {course.device}, in {_duration(course.seconds)}."
    if course.joules is not None:
        yield f"The card took {_energy(course.joules)} meanwhile."


def _duration(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} seconds"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} minutes"
    return f"{seconds / _HOUR_S:.1f} hours"


def _energy(joules: float) -> str:
    hours = joules / _WH_J
    if hours < 1000:  # noqa: PLR2004 - the next unit
        return f"{hours:.3g} Wh"
    return f"{hours / 1000:,.1f} kWh"


def _code(*lines: str) -> str:
    return "\n".join(["## How to load it", "", "```python", *lines, "```"])
