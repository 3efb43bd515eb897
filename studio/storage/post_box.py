"""Orders to a running engine that others than its starter give, in the run's folder.

Whoever gives an order appends a line; the engine reads what was appended since it
began. A file needs no address, port or rights beyond those of the folder, works on
every system, and shows afterwards what was ordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.domain.run import EngineIdentity
from studio.protocol.codec import WireError, decode_command, encode
from studio.protocol.commands import Cancel, EngineCommand
from studio.storage.appending import append_line
from studio.storage.disk import disk_refusal


@dataclass(frozen=True, slots=True)
class PostBox:
    """A file of orders, one JSON line each.

    Attributes:
        path: Where it lies; there is no file before the first order.
    """

    path: Path

    def size(self) -> int:
        """How many bytes of orders there are by now."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def post(self, order: EngineCommand) -> None:
        """Append an order.

        Raises:
            StudioError: The disk is full or may not be written.
        """
        try:
            append_line(self.path, encode(order))
        except OSError as fault:
            raise disk_refusal(fault, self.path) from fault

    def lines_from(self, offset: int) -> tuple[Sequence[bytes], int]:
        """The whole lines behind a place.

        Args:
            offset: Bytes to leave out: `size` of a moment, or what the last call
                returned. A file that has become shorter is a new one.

        Returns:
            The lines, and the offset to go on from. Both are as before where the file
            can't be read just now.
        """
        size = self.size()
        if size == offset:
            return (), offset
        offset = offset if size > offset else 0
        try:
            with self.path.open("rb") as box:
                box.seek(offset)
                content = box.read()
        except OSError:
            return (), offset
        whole = content[: content.rfind(b"\n") + 1]
        return [line for line in whole.split(b"\n") if line], offset + len(whole)

    def cancels(self, engine: EngineIdentity) -> bool:
        """Whether somebody had this very process ended."""
        lines, _ = self.lines_from(0)
        cancel = Cancel(pid=engine.pid, started_at=engine.started_at)
        return cancel in map(_read, lines)


def _read(line: bytes) -> EngineCommand | None:
    try:
        return decode_command(line)
    except WireError:
        return None
