"""The two verbs that may use a connection; an engine is started so for them alone.

`studio.services.launch` names the same two.
"""

import argparse

from studio.domain.hub_names import HubName, branch_name, repository_name
from studio.engine.session import Session


def fetch_data(session: Session, arguments: argparse.Namespace) -> None:
    """Bring a data set of a hub to this machine."""
    from studio.engine.hub_fetching import fetch_data as fetch

    name = HubName.of(arguments.name)
    with session.lifeline.open():
        found = fetch(session, name, again=arguments.again)
    session.say(found)


def push(session: Session, arguments: argparse.Namespace) -> None:
    """Bring what was exported to a hub."""
    from studio.engine.pushing.order import PushOrder
    from studio.engine.pushing.verb import push as carry_out

    order = PushOrder(
        folder=arguments.artefact.expanduser().absolute(),
        name=repository_name(arguments.to),
        branch=branch_name(arguments.revision),
        message=arguments.message,
        is_public=arguments.public,
        accepts_unproven=arguments.accept_unproven,
    )
    carry_out(session, order)
