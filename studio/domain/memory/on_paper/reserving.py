"""What torch's allocator holds beside live tensors, by its own rules.

The tape of one block of each kind is replayed through the model of the allocator.
What stands from loading on is left out: weights fill segments of their own.
"""

from studio.domain.memory.allocator import LARGEST_SMALL, CachingAllocator
from studio.domain.memory.on_paper.tape import Tape


def unused_bytes(tape: Tape) -> int:
    """Held at the highest and used by nobody.

    Small tensors are left out: they share segments of 2 MiB.
    """
    allocator = CachingAllocator()
    sizes = tape.sizes
    for number in tape.events:
        if number < 0:
            if sizes[-number] > LARGEST_SMALL:
                allocator.release(-number)
        elif sizes[number] > LARGEST_SMALL:
            allocator.allocate(number, sizes[number])
    return allocator.peak_reserved_bytes - allocator.peak_allocated_bytes
