"""The commands of `snugtune`: what each takes, and what it prints."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from studio import __version__
from studio.cli import (
    asking,
    chatting,
    combining,
    data,
    evaluating,
    explaining,
    exporting,
    inspecting,
    measuring,
    misuse,
    models,
    pricing,
    pushing,
    queue,
    recommending,
    reports,
    resuming,
    run_orders,
    run_show,
    terminal,
    training,
    verifying,
)
from studio.cli.engine_run import run_engine
from studio.domain.errors import EXIT_CODES, refusal
from studio.domain.memory.estimate import Basis
from studio.domain.recipe import COMPARISONS, OPTIONS, Recipe
from studio.domain.recommend.policy import Goal
from studio.protocol.answer_events import Generated
from studio.services import project_store
from studio.services.hub_data import with_data_here
from studio.services.library import find_run
from studio.services.preflight import refuse_errors
from studio.services.runs_beside import runs_beside
from studio.storage.recipes import load_recipe
from studio.storage.run_directory import RunDirectory
from studio.system.machine import read_machine_once

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run’s name or its directory.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set an option of the recipe; may be repeated.",
    ),
]

Gpu = Annotated[
    str,
    typer.Option(
        "--gpu", help="A card by its name, or its free memory in GiB, such as 23.5."
    ),
]

app = typer.Typer(
    name="snugtune",
    cls=misuse.PlainGroup,
    help="Fine-tune language models on the GPU in front of you. "
    "Without a command the window opens.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(data.app, name="data")
app.add_typer(queue.app, name="queue")


def _option_lines() -> str:
    lines = (
        f"{key} ({option.expectation()}; default {option.show(option.default) or '-'})"
        for key, option in OPTIONS.items()
    )
    return "Options for --set:\n\n" + "\n\n".join(lines)


def _comparison_lines() -> str:
    lines = (f"{key}: {option.help}" for key, option in COMPARISONS.items())
    return "Options for --set, beside those of train:\n\n" + "\n\n".join(lines)


@app.callback(invoke_without_command=True, epilog=EXIT_CODES)
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.")
    ] = False,
) -> None:
    """Fine-tune language models on the GPU in front of you."""
    if version:
        terminal.say(f"snugtune {__version__}")


@app.command(epilog=_option_lines())
def train(
    recipe_file: Annotated[
        Path, typer.Argument(metavar="RECIPE.toml", help="The recipe to train by.")
    ],
    assignments: Assignments = None,
    project: Annotated[
        str, typer.Option("--project", help="Which project keeps the run.")
    ] = "Terminal",
    run_dir: Annotated[
        Path | None,
        typer.Option(
            "--run-dir",
            metavar="DIR",
            help="A new folder for the run, in no project; runs doesn’t list it.",
        ),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Train by a recipe; Ctrl+C ends after the step."""
    recipe = _with(load_recipe(recipe_file), assignments)
    if run_dir is None:
        _train(project_store.open_or_create(project).new_run, recipe, json=json)
    else:
        _train(partial(RunDirectory.create_at, run_dir), recipe, json=json)


@app.command(epilog=_comparison_lines())
def estimate(  # noqa: PLR0913 - a command line has the options it has
    recipe_file: Annotated[
        Path | None, typer.Argument(metavar="RECIPE.toml", help="What to price.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="A model, instead of a recipe’s.")
    ] = "",
    assignments: Assignments = None,
    gpu: Gpu = "",
    basis: Annotated[
        Basis, typer.Option(help="What the numbers shall rest on.")
    ] = Basis.DRY_RUN,
    *,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure it now, by a run of two steps.")
    ] = False,
    random_weights: Annotated[
        bool,
        typer.Option("--random-weights", help="Measure without the model’s weights."),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say where each part goes and what switches would save."
        ),
    ] = False,
    timeline: Annotated[
        Path | None,
        typer.Option(
            "--timeline", metavar="FILE.svg", help="Draw the memory of one step."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Predict the peak memory of a recipe, or measure it."""
    asking.refuse_clashes(asking.Asked(gpu, basis, measure, random_weights, timeline))
    recipe = load_recipe(recipe_file) if recipe_file else Recipe()
    recipe = _with(recipe, assignments)
    is_chosen = recipe_file is not None
    recipe = asking.with_model(recipe, model, assignments or (), is_chosen=is_chosen)
    if measure:
        priced = measuring.measure(recipe, is_random=random_weights)
    else:
        priced = pricing.estimate(recipe, gpu, basis, explain=explain)
    if timeline is not None:
        explaining.draw(priced, timeline)
    if json:
        terminal.say_json(pricing.document(priced))
        return
    pricing.say(priced)
    if explain:
        explaining.explain(priced)


@app.command()
def recommend(  # noqa: PLR0913, PLR0917 - a command line has the options it has
    model: Annotated[
        str, typer.Option("--model", help="A model of the list, a folder or a hub id.")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="The chats to learn from.")
    ] = None,
    gpu: Gpu = "",
    vram: Annotated[
        float | None, typer.Option("--vram", help="A card by its free memory in GiB.")
    ] = None,
    goal: Annotated[
        Goal, typer.Option(help="What the free memory shall buy.")
    ] = Goal.QUALITY,
    assignments: Assignments = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="RECIPE.toml", help="Write the recipe."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Find a recipe that fits a card; options of --set stay as given."""
    card = recommending.card_of(gpu, vram)
    found = recommending.find(model, data, card, goal, assignments)
    if output is not None:
        recommending.save(found, output)
    if json:
        terminal.say_json(recommending.document(found))
    else:
        recommending.say(found)
        if output is not None:
            terminal.say(f"Written to {output}.")


@app.command()
def demo(
    assignments: Assignments = None,
    *,
    merge: Annotated[
        bool, typer.Option(help="Merge the adapter into the base afterwards.")
    ] = True,
    json: Json = False,
) -> None:
    """Fine-tune the example; show answers before and after."""
    example = project_store.ensure_example()
    project_store.suit_example(example, read_machine_once().device())
    _train(example.new_run, _with(example.recipe, assignments), json=json, merge=merge)


@app.command()
def hardware(*, json: Json = False) -> None:
    """Show the cards, their memory and who holds it."""
    reports.hardware(json=json)


@app.command("models", epilog=models.JSON_HELP)
def list_models(
    gpu: Gpu = "",
    vram: Annotated[
        float | None,
        typer.Option("--vram", min=0.1, max=512, help="A card’s free memory in GiB."),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """List the models that Snugtune knows, marked for a card."""
    models.models(gpu, vram, json=json)


@app.command("inspect-model", epilog=inspecting.JSON_HELP)
def inspect_model(
    name: Annotated[
        str,
        typer.Argument(
            metavar="PATH_OR_ID", help="A folder, a hub id or a name of the list."
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """Tell what a model is, without loading it."""
    inspecting.inspect(name, json=json)


@app.command()
def runs(*, json: Json = False) -> None:
    """List all runs, newest first."""
    reports.runs(json=json)


for _command in (
    resuming.resume,
    run_orders.pause,
    run_orders.stop,
    run_orders.cancel,
):
    app.command()(_command)
app.command(epilog=run_show.JSON_HELP)(run_show.show)
app.command()(verifying.verify)
app.command()(exporting.export)
app.command(epilog=pushing.HELP)(pushing.push)
app.command(epilog=combining.HELP)(combining.combine)
app.command(epilog=evaluating.HELP)(evaluating.evaluate)
app.command()(chatting.chat)


@app.command()
def merge(
    run: RunName,
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    dtype: Annotated[
        str, typer.Option("--dtype", help="Weights as bf16, fp16 or fp32.")
    ] = "bf16",
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what lies there.")
    ] = False,
    as_trained: Annotated[
        bool,
        typer.Option(
            "--as-trained",
            help="Into the base as 4 bits held it in training, not into its own "
            "weights.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Merge a run’s adapter into its base model.

    Its own weights are the better ones as a rule; who must match training to the last
    figure merges as trained. snugtune verify tells how far both are apart.
    """
    if dtype not in {"bf16", "fp16", "fp32"}:
        raise refusal(
            "merge.dtype",
            f"“{dtype}” is no format of merged weights.",
            fix="Give bf16, fp16 or fp32.",
            where="--dtype",
        )
    options = ["--dtype", dtype, *(["--overwrite"] if overwrite else [])]
    options += ["--as-trained"] if as_trained else []
    merged = training.run_merge(find_run(run), str(out.absolute()), *options)
    if json:
        terminal.say_json(
            {"path": merged.path, "dtype": merged.dtype, "bytes": merged.size_bytes}
        )
    else:
        terminal.say(f"Merged model  {merged.path}")


@app.command()
def generate(
    run: RunName,
    prompt: Annotated[str, typer.Option("--prompt", help="What to ask.")],
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")
    ] = 128,
    *,
    base: Annotated[
        bool, typer.Option("--base", help="Ask the base, without the adapter.")
    ] = False,
    json: Json = False,
) -> None:
    """Ask a trained run one question."""
    arguments = [str(find_run(run).path), "--prompt", prompt]
    arguments += ["--max-new-tokens", str(max_new_tokens)]
    arguments += ["--base"] if base else []
    answered = run_engine("generate", *arguments, listener=lambda _event: None)
    assert isinstance(answered, Generated)
    if json:
        terminal.say_json({"prompt": answered.prompt, "text": answered.text})
    else:
        terminal.say(answered.text)


@app.command()
def doctor(*, json: Json = False) -> None:
    """Check that this machine can train."""
    raise typer.Exit(reports.doctor(json=json))


def _with(recipe: Recipe, assignments: list[str] | None) -> Recipe:
    for assignment in assignments or ():
        recipe = recipe.with_typed(assignment)
    return with_data_here(recipe)


def _train(
    new_run: Callable[[Recipe], RunDirectory],
    recipe: Recipe,
    *,
    json: bool,
    merge: bool = False,
) -> None:
    for finding in (*refuse_errors(recipe), *runs_beside()):
        terminal.say_finding(finding)
    directory = new_run(recipe)
    report = training.run_training(directory)
    merged = None
    done = report.finished
    if merge and done is not None and done.adapter and not done.stopped:
        merged = training.run_merge(directory, str(directory.merged_path))
    training.tell(report, merged, json=json)
