"""To which size pictures are best brought."""

from collections import Counter

LARGEST = 64  # pixels: what a small network on a CPU can be trained on
SMALLEST = 8
STEP = 4  # so that patches of 2 and 4 fit


def proposed_size(sizes: Counter[tuple[int, int]]) -> int | None:
    """The side of the square to which pictures of these heights and widths are resized; None: they stay as they are.

    Examples:
      >>> proposed_size(Counter({(28, 28): 10})), proposed_size(Counter({(480, 640): 3, (50, 70): 1}))
      (None, 48)
      >>> proposed_size(Counter({(31, 31): 10}))
      28
    """
    ((height, width), _), *others = sizes.most_common()
    if not others and height == width <= LARGEST and height % 2 == 0 and height >= SMALLEST:
        return None
    shortest = min(min(size) for size in sizes)
    return max(SMALLEST, min(LARGEST, shortest) // STEP * STEP)
