"""Who holds main memory, told beside the window."""

import os

from studio.services.programs import ProgramsMonitor
from studio.system.programs import largest_programs


def test_that_the_largest_programs_come_first_and_this_one_is_among_them():
    programs = largest_programs(most=10_000)
    held = [program.used_bytes for program in programs]
    assert held == sorted(held, reverse=True)
    own = next(p for p in programs if p.pid == os.getpid())
    assert own.used_bytes > 10 << 20


def test_that_no_more_are_named_than_asked_for():
    assert len(largest_programs(most=1)) == 1


def test_that_programs_are_listed_at_once_and_again(qtbot):
    monitor = ProgramsMonitor(interval_s=0.05)
    lists = []
    monitor.programs_listed.connect(lists.append)
    monitor.start()
    qtbot.waitUntil(lambda: len(lists) >= 2)
    monitor.stop()
    assert lists[0][0].used_bytes > 0


def test_that_nothing_is_told_after_the_stop(qtbot):
    monitor = ProgramsMonitor()
    lists = []
    monitor.programs_listed.connect(lists.append)
    monitor.start()
    monitor.stop()
    qtbot.wait(50)
    assert lists == []
