"""What ``push`` does: an exported artefact goes to a repository of a hub, whole.

Everything that can be refused without a connection is refused first, then all that the
hub can be asked about; only then is anything sent.
"""

from typing import Any

from huggingface_hub import HfApi, constants, get_token

from studio import __version__
from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error
from studio.engine.exporting.privacy import refuse_private_files
from studio.engine.pushing.aside import Aside
from studio.engine.pushing.card import card_to_push
from studio.engine.pushing.order import PushOrder
from studio.engine.pushing.repository import (
    Found,
    address_of,
    check_account,
    check_commit,
    left_over,
    ready,
    refuse_mixing,
)
from studio.engine.pushing.sending import Shipment
from studio.engine.pushing.words import Words, is_safe, no_token, offline, unsafe
from studio.engine.session import Session
from studio.protocol.export_events import Pushed
from studio.storage.push_files import CARD, Proof, Pushable, pushable
from studio.system.hub_token import HubToken, TokenSource, find_token


def push(session: Session, order: PushOrder) -> None:
    """Push an artefact.

    Args:
        session: Where to report.
        order: What is asked for.

    Raises:
        StudioError: It may not or can't be pushed; the repository is as it was, save
            that it may have been made.
        Interrupted: It was to end before its commit.
    """
    artefact = pushable(order.folder)
    refuse_unproven(artefact, accepts=order.accepts_unproven)
    folder = artefact.folder
    refuse_private_files(artefact.files, folder, folder.parent)
    if constants.HF_HUB_OFFLINE:
        raise offline(order.name)
    if not is_safe(constants.ENDPOINT):
        raise unsafe(order.name)
    aside: Aside[Pushed] = Aside(session)
    session.say(aside.run(lambda: _push(session, aside, order, artefact)))


def refuse_unproven(artefact: Pushable, *, accepts: bool) -> None:
    """Refuse a model that differs from what was trained, or that nobody compared.

    Raises:
        StudioError: It does, with the exit code of an export that differs; or it has
            no certificate.
    """
    if accepts:
        return
    if artefact.proof is Proof.DIFFERS:
        raise StudioError(
            error(
                "push.differs",
                f"This {artefact.kind} doesn’t say what was trained.",
                why="Whoever loads it gets something else than its card promises.",
                fix="Look at its certificate; --accept-unproven pushes it with a card "
                "that says so.",
                where=str(artefact.folder),
            ),
            ExitCode.DIFFERENT,
        )
    if artefact.proof is Proof.MISSING:
        raise refusal(
            "push.unproven",
            f"This {artefact.kind} has no certificate: nobody has compared it with "
            "what was trained.",
            fix="Compare it by snugtune verify first; --accept-unproven pushes it with "
            "a card that says so.",
            where=str(artefact.folder),
        )


def _push(
    session: Session, aside: Aside[Any], order: PushOrder, artefact: Pushable
) -> Pushed:
    token = _token(order.name)
    api = HfApi(
        token=token.secret, library_name="snugtune", library_version=__version__
    )
    with Words(order.name, token).said():
        check_account(api, order.name, token)
        found = ready(api, order.name, order.branch, is_public=order.is_public)
        refuse_mixing(order.name, found, artefact)
        shipment = _shipment(api, order, artefact, found)
        commit = shipment.send(session, aside).oid
        check_commit(api, order.name, commit, [file.name for file in shipment.files])
    return Pushed(
        path=str(artefact.folder),
        name=order.name,
        address=address_of(order.name, order.branch),
        branch=order.branch or constants.DEFAULT_REVISION,
        commit=commit,
        is_private=found.is_private,
        is_new=found.is_new,
        was_there=commit == found.commit,
        files=len(shipment.files),
        size_bytes=artefact.size_bytes,
        sent_bytes=shipment.sent.bytes if shipment.sent.is_told else None,
        token_from=str(token.source),
        left_out=artefact.left_out,
    )


def _token(name: str) -> HubToken:
    token = find_token()
    if token is None:
        raise no_token(name)
    if token.source is TokenSource.STORE:
        # The hub's library renews one that runs out soon.
        return HubToken(token.source, get_token() or token.secret)
    return token


def _shipment(
    api: HfApi, order: PushOrder, artefact: Pushable, found: Found
) -> Shipment:
    card = card_to_push(artefact)
    own = artefact.folder / CARD
    files = artefact.files
    if card is not None and own not in files:
        files = (*files, own)
    return Shipment(
        api,
        order.name,
        order.branch or None,
        found.commit,
        order.message_about(artefact),
        files,
        {} if card is None else {CARD: card},
        left_over(found, artefact),
    )
