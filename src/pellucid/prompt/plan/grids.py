"""The largest grid of whole cells that an image of some shape can fill."""


def largest_grid(width: int, height: int, target: int) -> tuple[int, int]:
    """Rows and columns at the largest scale whose grid, rounded up, has at most `target` patches.

    The grid of a scale s is (ceil(height * s), ceil(width * s)). It changes just after each
    s = k / side, so the largest scale that fits is such a fraction; the patch side cancels out.

    >>> largest_grid(640, 480, 1200)
    (30, 40)
    """
    cols = _most(width, height, target)
    rows = _most(height, width, target)
    if cols * height >= rows * width:  # cols / width >= rows / height
        return _ceil(cols * height, width), cols
    return rows, _ceil(rows * width, height)


def _most(side: int, other: int, target: int) -> int:
    """Largest k so that the grid at scale k / side has at most `target` patches; 0 if none has."""
    low, high = 0, target
    while low < high:
        middle = (low + high + 1) // 2
        if middle * _ceil(middle * other, side) <= target:
            low = middle
        else:
            high = middle - 1
    return low


def _ceil(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
