"""What the engine says of data: inspected, mended, fetched, drafted, shown by row."""

from studio.protocol.event_parts import Event, Told, ToldOfRows


class DraftsMade(Event, frozen=True, tag="drafts-made"):
    """Drafts were made from documents, and lie in their file.

    Attributes:
        path: The file, absolute.
        passages: That the documents have.
        left: Of these, those that are still without drafts.
        drafts: Made now and open for review.
        refused: Made now and rejected by the test, by reason.
        stopped: Whether it was ended by an order.
    """

    path: str
    passages: int
    left: int
    drafts: int
    refused: dict[str, int]
    stopped: bool = False


class DataInspected(Event, frozen=True, tag="data-inspected"):
    """A whole data set was checked; see `studio.domain.data_report.DataReport`.

    Attributes:
        counted: Whether the rows' lengths are counted in tokens, or judged.
        index: Where the rows' places and lengths lie; empty when the file could not
            be opened or the disk refused them. See `studio.storage.data_index`.
    """

    path: str
    rows: int
    usable: int
    format_name: str
    confidence: float
    mapping: dict[str, str]
    counted: bool
    trained_tokens: int
    all_tokens: int
    findings: list[ToldOfRows]
    index: str = ""


class DataFixed(Event, frozen=True, tag="data-fixed"):
    """A new file was written; see `studio.storage.data_fixing.FixReport`.

    Attributes:
        changed: How many rows each code changed.
        dropped: How many rows each code left out.
    """

    path: str
    out: str
    rows: int
    kept: int
    changed: dict[str, int]
    dropped: dict[str, int]


class DataFetched(Event, frozen=True, tag="data-fetched"):
    """A data set of a hub lies on this machine; see `studio.storage.hub_data.Origin`.

    Attributes:
        path: The file of its rows.
        name: Its full name, as `studio.domain.hub_names.HubName.word` has it.
        was_here: Whether it had been fetched before.
        other_splits: That the data set has beside this one.
    """

    path: str
    name: str
    rows: int
    size_bytes: int
    was_here: bool = False
    other_splits: tuple[str, ...] = ()


class RowShown(Event, frozen=True, tag="row-shown"):
    """The tokens of one row; see `studio.domain.token_view.TokenView`.

    Attributes:
        order: Of the order that asked for it.
        texts: Of each token.
        ids: Of each token.
        uses: Of each token, one letter: ``t`` trained, ``r`` read, ``c`` cut.
        marks: The places of special tokens.
        refusal: Why nothing of it is trained.
        more: How many tokens behind these are not told.
    """

    order: int
    line: int
    texts: list[str]
    ids: list[int]
    uses: str
    marks: list[int]
    refusal: str = ""
    more: int = 0


class RowNotShown(Event, frozen=True, tag="row-not-shown"):
    """A row has no tokens to show, and why; `order` is of the order that asked."""

    order: int
    finding: Told
