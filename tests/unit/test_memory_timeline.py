from hypothesis import given
from hypothesis import strategies as st

from studio.domain.memory.timeline import timeline_of

HELD = st.lists(st.integers(0, 1 << 40), min_size=1, max_size=2_000)


@given(HELD, st.data())
def test_that_thinning_keeps_each_phase_and_its_peak(held, data):
    cuts = data.draw(st.lists(st.integers(1, len(held)), max_size=6))
    begins = [0, *sorted(set(cuts))]
    phases = [(at, f"phase {number}") for number, at in enumerate(begins)]
    reserved = [2 * amount for amount in held]
    found = timeline_of(held, reserved, phases)
    assert len(found.allocated) == len(found.reserved) <= 200 + len(phases)
    for name, first, last in found.stretches():
        place = int(name.split()[1])
        end = begins[place + 1] if place + 1 < len(begins) else len(held)
        assert max(found.allocated[first:last]) == max(held[begins[place] : end])
    assert found.allocated[found.peak_point] == max(held)


def test_that_a_short_step_is_kept_event_by_event():
    found = timeline_of([1, 5, 2], [6, 6, 6], [(0, "forward"), (2, "backward")])
    assert found.allocated == (1, 5, 2)
    assert found.phase_at(1) == "forward"
    assert found.phase_at(found.peak_point + 1) == "backward"


def test_that_nothing_makes_no_picture():
    assert timeline_of([], [], []) is None
