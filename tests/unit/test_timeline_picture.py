import itertools
from xml.etree import ElementTree as ET

import pytest

from studio.cli.timeline_svg import write_timeline
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB
from studio.domain.memory.timeline import timeline_of
from studio.domain.memory.timeline_layout import laid_out, named_bands

STEP = timeline_of(
    [2 * GIB, 3 * GIB, 5 * GIB, 4 * GIB, 2 * GIB],
    [4 * GIB, 4 * GIB, 6 * GIB, 6 * GIB, 6 * GIB],
    [(0, "forward"), (2, "backward"), (4, "optimizer step")],
)
SVG = "{http://www.w3.org/2000/svg}"


def test_that_the_picture_stays_within_its_bounds_and_marks_the_peak():
    layout = laid_out(STEP, 400, 200)
    for x, y in (*layout.allocated, *layout.reserved, layout.peak):
        assert layout.left <= x <= layout.right
        assert 0 < y <= layout.bottom
    assert layout.peak[1] == min(y for _, y in layout.allocated)
    assert layout.peak_words == "peak 5.00 GiB, backward"
    assert layout.ticks[0].words == "0 GiB"


def test_that_phases_lie_end_to_end_and_are_named_once():
    layout = laid_out(STEP, 400, 200)
    edges = [(band.left, band.right) for band in layout.bands]
    assert edges[0][0] == layout.left
    assert edges[-1][1] == layout.right
    assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))


def test_that_wide_phases_are_named_each_time_and_a_narrow_one_once():
    marks = ["forward", "backward", "optimizer step"]
    step = timeline_of(
        [1] * 42,
        [9] * 42,
        [(0, marks[0]), (10, marks[1]), (20, marks[0]), (30, marks[1]), (40, marks[2])],
    )
    named = named_bands(laid_out(step, 600, 200).bands, 80)
    names = [band.phase for band in named]
    assert names == ["forward", "backward", "forward", "backward", "optimizer step"]


@pytest.mark.parametrize("held", [1 << 20, 300 << 20, 700 * GIB])
def test_that_there_are_a_few_ticks_at_any_size(held):
    timeline = timeline_of([held], [held], [(0, "forward")])
    assert 2 <= len(laid_out(timeline, 400, 200).ticks) <= 6


def test_that_the_file_is_a_picture_with_words(tmp_path):
    file = tmp_path / "step.svg"
    write_timeline(file, STEP, "One step of <A & B>")
    root = ET.parse(file).getroot()
    assert root.find(f"{SVG}title").text == "One step of <A & B>"
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"forward", "backward", "optimizer step"} <= set(words)
    assert "peak 5.00 GiB, backward" in words


def test_that_a_folder_which_is_missing_is_told(tmp_path):
    with pytest.raises(StudioError, match="can't be written"):
        write_timeline(tmp_path / "nowhere" / "step.svg", STEP, "A step")
