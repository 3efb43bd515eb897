"""What the engine can be told to do, each verb from its arguments to its last word."""

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import error
from studio.engine import data_verbs
from studio.engine.failures import Failure, put_into_words
from studio.engine.hub_verbs import fetch_data, push
from studio.engine.lifeline import Interrupted
from studio.engine.model_places import place_if_here, place_of
from studio.engine.post import delivered
from studio.engine.refusals import refuse_contradictions, refuse_trained
from studio.engine.relieving import recipe_of
from studio.engine.session import Session
from studio.protocol.codec import told, told_estimate
from studio.protocol.events import (
    PROTOCOL_VERSION,
    Hello,
    MemoryNotEstimated,
    ModelPrepared,
    RunFailed,
    RunFinished,
    RunPaused,
)
from studio.storage.checkpoint_folders import all_of
from studio.storage.draft_making import DraftOrder
from studio.storage.models import is_model_folder
from studio.storage.recipes import load_recipe
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import held
from studio.system.card_memory import used_by_card
from studio.system.chat_address import address_of
from studio.system.processes import identity_of
from studio.system.versions import versions

_WITHOUT_TORCH = frozenset(
    {"fetch-data", "push", "inspect-data", "fix-data", "show-rows"}
)
Verb = Callable[[Session, argparse.Namespace], None]


def run_verb(session: Session, arguments: argparse.Namespace) -> ExitCode:
    """Carry out a verb and say its last word, whatever happens.

    Args:
        session: Where to report.
        arguments: As `studio.engine.__main__` parsed them; `verb` names a verb.

    Returns:
        What the process exits with.
    """
    with contextlib.ExitStack() as ties:
        return _carry_out(session, arguments, ties)


def _carry_out(
    session: Session, arguments: argparse.Namespace, ties: contextlib.ExitStack
) -> ExitCode:
    verb: str = arguments.verb
    try:
        if verb == "train":
            _tie_to_run(session, RunDirectory.at(arguments.run), ties)
        if verb == "measure-memory":
            # Before torch is asked for a device's name, which may take memory on it.
            arguments.used_before = used_by_card()
        _greet(session, verb)
        VERBS[verb](session, arguments)
    except Interrupted:
        _say_interrupted(session, arguments)
    except Exception as fault:  # noqa: BLE001 - the engine's top: every end is told
        return _end_badly(session, arguments, fault)
    return session.lifeline.exit_code if session.lifeline.is_cut else ExitCode.OK


def _tie_to_run(
    session: Session, run: RunDirectory, ties: contextlib.ExitStack
) -> None:
    """Lock a run, then write its journal and take its orders.

    In this order: a second engine must not write into the journal of the first.
    """
    ties.enter_context(held(run))
    session.wire.keep_journal(run.journal_path)
    ties.enter_context(delivered(session, run.post_box))


def _greet(session: Session, verb: str) -> None:
    me = identity_of(os.getpid())
    assert me is not None
    session.say(
        Hello(
            protocol=PROTOCOL_VERSION,
            verb=verb,
            pid=me.pid,
            started_at=me.started_at,
            device="" if verb in _WITHOUT_TORCH else _device(),
            versions=versions(),
        )
    )


def _device() -> str:
    from studio.engine.devices import choose_device, device_in_words

    return device_in_words(choose_device())


def _say_interrupted(session: Session, arguments: argparse.Namespace) -> None:
    verb: str = arguments.verb
    if verb == "train" and session.orders.pauses:
        kept = all_of(RunDirectory(arguments.run).checkpoints_path)
        session.say(RunPaused(step=kept[-1][0] if kept else 0))
    elif verb == "train":
        session.say(RunFinished(adapter="", steps=0, stopped=True))
    else:
        session.say(
            RunFailed(
                kind="interrupted",
                message="It was stopped; nothing half-made was kept.",
            )
        )


def _end_badly(
    session: Session, arguments: argparse.Namespace, fault: Exception
) -> ExitCode:
    failure = _pause(arguments, fault) or put_into_words(fault)
    if not failure.is_foreseen:
        traceback.print_exception(fault, file=sys.stderr)
    try:
        session.say(failure.word)
    except StudioError as refused:  # the disk that failed is the journal's too
        print(refused, file=sys.stderr)  # noqa: T201 - stderr is the run's log
    if session.wire.lost_its_journal:
        # Where nobody listens, the log is left to tell it.
        print(failure.word.message, file=sys.stderr)  # noqa: T201 - as above
    return failure.exit_code


def _pause(arguments: argparse.Namespace, fault: Exception) -> Failure | None:
    """The fault as a pause, where a run can be gone on with behind it."""
    if arguments.verb != "train":
        return None

    from studio.engine.pausing import paused_by

    return paused_by(RunDirectory(arguments.run.absolute()), fault)


def _train(session: Session, arguments: argparse.Namespace) -> None:
    run = RunDirectory.at(arguments.run)
    if not arguments.resume:
        refuse_trained(run)
    recipe = recipe_of(
        session, run, resumes=arguments.resume, saves_memory=arguments.save_memory
    )
    refuse_contradictions(recipe)
    for remark in recipe.remarks():
        session.warn(remark)
    place = place_of(recipe.model.name)

    from studio.engine.awake import awake
    from studio.engine.machine_recorder import recorded
    from studio.engine.methods import training
    from studio.engine.outage_watch import outages_watched
    from studio.engine.resuming import Resuming
    from studio.engine.staging import sweep_run

    going_on = Resuming(arguments.accept_changes) if arguments.resume else None
    sweep_run(run.path)
    watched = outages_watched(session, tells_first=arguments.resume)
    with recorded(run), awake(session), watched:
        training.train(session, run, recipe, place, going_on)


def _merge(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.merging.verb import MergeOrder, merge

    run = RunDirectory.at(arguments.run)
    place = place_of(run.read_recipe().model.name)
    told = ("dtype", "overwrite", "as_trained")
    named = {name: getattr(arguments, name) for name in told}
    target = arguments.out.expanduser().absolute()
    merge(session, run, place, MergeOrder(target, **named))


def _verify(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.parity.verb import verify

    run = RunDirectory.at(arguments.run)
    place = place_of(run.read_recipe().model.name)
    verify(session, run, place, arguments.artefact.expanduser().absolute())


def _export(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.exporting.verb import ExportOrder, export

    run = RunDirectory.at(arguments.run)
    name = run.read_recipe().model.name
    order = ExportOrder(
        out=arguments.out.expanduser().absolute(),
        kinds=tuple(dict.fromkeys(arguments.to)),
        dtype=arguments.dtype,
        as_trained=arguments.as_trained,
        form=arguments.form,
        overwrite=arguments.overwrite,
        publishes_red=arguments.even_if_different,
    )
    place = place_of(name) if order.needs_base else place_if_here(name)
    export(session, run, place, order)


def _combine(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.combining.verb import combine, order_of

    combine(session, order_of(arguments))


def _evaluate(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.evaluating.verb import evaluate, order_of

    run = RunDirectory.at(arguments.run)
    place = place_of(run.read_recipe().model.name)
    evaluate(session, run, place, order_of(arguments))


def _generate(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.answering import Questions, answer_by_model, answer_by_run

    where: Path = arguments.source.expanduser().absolute()
    questions = Questions(arguments.prompt, arguments.max_new_tokens)
    if is_model_folder(where):
        answer_by_model(session, where, questions)
        return
    run = RunDirectory.at(where)
    place = place_of(run.read_recipe().model.name)
    answer_by_run(session, run, place, questions, base_alone=arguments.base)


def _chat(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.chat.source import source_of_model, source_of_run
    from studio.engine.chat.verb import chat

    name: str = arguments.source
    where = Path(name).expanduser().absolute()
    with session.lifeline.open():
        if (where / "recipe.toml").is_file():
            run = RunDirectory.at(where)
            place = place_of(run.read_recipe().model.name)
            chat(session, source_of_run(session, run, place))
        else:
            chat(session, source_of_model(session, place_of(name)))


def _make_data(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.data_making import make_by_address, make_by_model

    order = DraftOrder(
        documents=arguments.document,
        out=arguments.out,
        questions=arguments.questions,
    )
    if arguments.address:
        make_by_address(
            session,
            address_of(
                arguments.address,
                arguments.api_model,
                allow_http=arguments.allow_http,
            ),
            order,
        )
    else:
        make_by_model(session, place_of(arguments.model), order)


def _prepare_model(session: Session, arguments: argparse.Namespace) -> None:
    place = place_of(arguments.name)

    from studio.engine.model_preparation import prepared_folder

    with session.lifeline.open():
        folder = prepared_folder(session, place)
    session.say(ModelPrepared(path=str(folder)))


def _estimate_memory(session: Session, arguments: argparse.Namespace) -> None:
    from studio.engine.memory_estimate import Target, estimate_memory

    target = Target.of(arguments.card_bytes, arguments.capability)
    files: list[Path] = [arguments.recipe, *arguments.also]
    for place, file in enumerate(files):
        left = len(files) - place - 1
        try:
            recipe = load_recipe(file)
            refuse_contradictions(recipe)
            found = estimate_memory(recipe, arguments.model, target)
        except Exception as fault:
            if not place:
                raise
            session.say(_not_estimated(fault, place, left))
        else:
            session.say(told_estimate(found, place, left))


def _not_estimated(fault: Exception, place: int, left: int) -> MemoryNotEstimated:
    failure = put_into_words(fault)
    if not failure.is_foreseen:
        traceback.print_exception(fault, file=sys.stderr)
    word = failure.word
    finding = error(word.kind, word.message, fix=word.advice)
    return MemoryNotEstimated(finding=told(finding), recipe=place, left=left)


def _measure_memory(session: Session, arguments: argparse.Namespace) -> None:
    recipe = load_recipe(arguments.recipe)
    refuse_contradictions(recipe)

    from studio.engine.measure_memory import Probe, measure_memory

    probe = Probe(
        recipe,
        arguments.model,
        used_before=arguments.used_before,
        is_random=arguments.random_weights,
    )
    measure_memory(session, probe)


def _doctor(session: Session, _: argparse.Namespace) -> None:
    from studio.engine.doctor import diagnose

    diagnose(session)


VERBS: Mapping[str, Verb] = {
    "train": _train,
    "merge": _merge,
    "verify": _verify,
    "export": _export,
    "push": push,
    "combine": _combine,
    "evaluate": _evaluate,
    "generate": _generate,
    "chat": _chat,
    "make-data": _make_data,
    "prepare-model": _prepare_model,
    "estimate-memory": _estimate_memory,
    "measure-memory": _measure_memory,
    "fetch-data": fetch_data,
    "inspect-data": data_verbs.inspect_data,
    "fix-data": data_verbs.fix_data,
    "show-rows": data_verbs.show_rows,
    "doctor": _doctor,
}
