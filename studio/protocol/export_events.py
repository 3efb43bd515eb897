"""What the engine says of exports: merged, compared, all at once, or pushed."""

from typing import Final

import msgspec

from studio.protocol.event_parts import Event, Told

ADAPTER: Final = "adapter"
MERGED: Final = "merged"
"""The kinds of artefacts that need no plug-in."""
FORM_MARK: Final = ":"
"""Between an exporter and its form where both are named, as in ``gguf:q8_0``."""


class Merged(Event, frozen=True, tag="merged"):
    """A merged model is whole on disk.

    Attributes:
        path: Where it lies, absolute.
        dtype: Its weights' format.
        size_bytes: Of its files.
    """

    path: str
    dtype: str
    size_bytes: int


class ParityMeasured(Event, frozen=True, tag="parity"):
    """An exported model was compared with what was trained.

    Attributes:
        path: Of the exported model, absolute.
        report: Of the page that tells all of it.
        is_proven: Whether it says what was trained, as far as its format can.
        agreement: The share of places at which both expect the same token.
        mean_kl: How far what both expect is apart, in nats; None where that is no
            finite number.
    """

    path: str
    report: str
    is_proven: bool
    agreement: float
    mean_kl: float | None


class Artefact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that an export made.

    Attributes:
        kind: `ADAPTER`, `MERGED`, or an exporter's name.
        form: Of its numbers, such as ``bf16``; empty for an adapter.
        path: Its folder, absolute.
        size_bytes: Of its files; of an adapter, with the zip beside it.
        is_proven: Whether it says what was trained; None where nothing is to be
            proven, since it is what was trained.
        report: The page of its certificate, absolute; empty without one.
        figures: What was compared, by name, in words.
        findings: What speaks against it.
    """

    kind: str
    form: str
    path: str
    size_bytes: int
    is_proven: bool | None = None
    report: str = ""
    figures: list[tuple[str, str]] = []
    findings: list[Told] = []


class Exported(Event, frozen=True, tag="exported"):
    """All that was asked for has been made, or kept aside where it isn't proven.

    Attributes:
        path: The folder that holds it, absolute.
        artefacts: In the order in which they were made.
    """

    path: str
    artefacts: list[Artefact]


class Pushed(Event, frozen=True, tag="pushed"):
    """An artefact is on a hub, whole.

    Attributes:
        path: The artefact's folder, absolute.
        name: Of the repository, ``owner/name``.
        address: Of its page.
        branch: Pushed to.
        commit: That holds it.
        is_private: Whether only those who may see the repository can.
        is_new: Whether the repository was made for it.
        was_there: Whether all of it was there already, so that no commit was made.
        files: How many went up.
        size_bytes: Of all of them.
        sent_bytes: Of the weights, what had to be sent; the rest was there already.
            None where the transfer doesn't tell.
        token_from: Where the token was found, in words.
        left_out: Files of the folder that stayed here.
    """

    path: str
    name: str
    address: str
    branch: str
    commit: str
    is_private: bool
    is_new: bool
    was_there: bool
    files: int
    size_bytes: int
    sent_bytes: int | None
    token_from: str
    left_out: tuple[str, ...] = ()


class Combined(Event, frozen=True, tag="combined"):
    """Adapters became one adapter, which is whole on disk.

    Attributes:
        path: The folder that every verb takes in a run's place, absolute.
        adapter: In it, what is handed on.
        how: A `studio.domain.combining.Way`.
        rank: Of the new adapter.
        size_bytes: Of its files.
        distance: From the weighted sum, as a share of that sum; None where the sum
            is nothing.
    """

    path: str
    adapter: str
    how: str
    rank: int
    size_bytes: int
    distance: float | None
