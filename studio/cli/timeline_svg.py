"""The memory of one training step as an SVG file, by the standard library alone."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from studio.domain.errors import refusal
from studio.domain.memory.timeline import Timeline
from studio.domain.memory.timeline_layout import (
    TOP,
    Point,
    TimelineLayout,
    laid_out,
    named_bands,
)

_WIDTH, _HEIGHT = 960, 360
# The window's colours of activations, of muted text and of lines, on white.
_ALLOCATED, _RESERVED, _TEXT, _LINE = "#E2A322", "#8E8A82", "#1C2024", "#E6E3DD"
_NAME_WIDTH = 96.0


def write_timeline(path: Path, timeline: Timeline, title: str) -> None:
    """Write the picture, replacing what lies there.

    Raises:
        StudioError: The file can't be written.
    """
    drawn = "\n".join(_drawing(timeline, title)) + "\n"
    try:
        path.write_text(drawn, encoding="utf-8")
    except OSError as fault:
        raise refusal(
            "timeline.unwritten",
            f"The picture can't be written: {fault.strerror or fault}.",
            fix="Name a file in a folder that may be written to.",
            where=str(path),
        ) from fault


def _drawing(timeline: Timeline, title: str) -> Iterator[str]:
    layout = laid_out(timeline, _WIDTH, _HEIGHT)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="Inter, sans-serif" font-size="12" fill="{_TEXT}">'
    )
    yield f"<title>{escape(title)}</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#FFFFFF"/>'
    yield _words(layout.left, 16, f"{title}: allocated (filled) and reserved (line)")
    for tick in layout.ticks:
        yield _line(layout.left, tick.y, layout.right, tick.y)
        yield _words(layout.left - 6, tick.y + 4, tick.words, "end")
    ground = [*layout.allocated, (layout.right, layout.bottom)]
    yield _shape([(layout.left, layout.bottom), *ground], f'fill="{_ALLOCATED}"')
    outline = f'fill="none" stroke="{_RESERVED}" stroke-width="1.5"'
    yield _shape(layout.reserved, outline, closed=False)
    yield from _phases(layout)
    yield from _peak(layout)
    yield "</svg>"


def _phases(layout: TimelineLayout) -> Iterator[str]:
    for band in layout.bands:
        yield _line(band.left, TOP, band.left, layout.bottom + 8)
    for band in named_bands(layout.bands, _NAME_WIDTH):
        middle = min((band.left + band.right) / 2, layout.right - _NAME_WIDTH / 2)
        yield _words(middle, layout.bottom + 20, band.phase, "middle")


def _peak(layout: TimelineLayout) -> Iterator[str]:
    x, y = layout.peak
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_TEXT}"/>'
    yield f'<circle cx="{layout.right - 4:.1f}" cy="12" r="4" fill="{_TEXT}"/>'
    yield _words(layout.right - 14, 16, layout.peak_words, "end")


def _words(x: float, y: float, words: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(words)}</text>"


def _line(left: float, top: float, right: float, bottom: float) -> str:
    ends = f'x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"'
    return f'<line {ends} stroke="{_LINE}"/>'


def _shape(points: Sequence[Point], look: str, *, closed: bool = True) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<{"polygon" if closed else "polyline"} points="{corners}" {look}/>'
