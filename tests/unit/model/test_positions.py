"""Position interpolation against `F.interpolate` on the whole table, in two dimensions at once."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.model.vision.positions import axis_matrix, positions

SIDE = st.integers(1, 70)


def interpolated(table, rows, columns, antialias=True):
    square = table.T.reshape(1, -1, 16, 16)
    resized = F.interpolate(
        square, size=(rows, columns), mode="bilinear", align_corners=False, antialias=antialias
    )
    return resized.flatten(2)[0].T


def triangle(size):
    """Antialiased bilinear weights by definition: a triangle around each target, normalised."""
    half = max(16 / size, 1.0)
    centres = (torch.arange(size) + 0.5) * 16 / size
    distance = (torch.arange(16) + 0.5 - centres[:, None]).abs()
    weights = (1 - distance / half).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


# Several rows and one column are left out: PyTorch's CPU kernel gets them wrong (see positions.py).
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(SIDE, SIDE).filter(lambda grid: grid[0] == 1 or grid[1] > 1),
        min_size=1,
        max_size=4,
    )
)
def test_every_grid_is_interpolated_as_torch_does(grids):
    table = torch.randn(256, 5, generator=torch.Generator().manual_seed(0))
    expected = torch.cat([interpolated(table, *grid) for grid in grids])
    # PyTorch rounds its weights in float32, ours are rounded once, from float64.
    assert (positions(table, torch.tensor(grids)) - expected).abs().max() <= 1e-5


def test_antialiasing_matters_where_a_side_is_under_the_table():
    table = torch.randn(256, 5, generator=torch.Generator().manual_seed(0))
    plain = interpolated(table, 120, 6, antialias=False)
    assert (positions(table, torch.tensor([(120, 6)])) - plain).abs().max() > 0.1


def test_axis_weights_are_averages():
    # 16 -> 2: a triangle of half-width 8 around 4 and 12, cut at the borders and normalised
    first = [8 - abs(place + 0.5 - 4) for place in range(12)]
    expected = [weight / sum(first) for weight in first] + [0.0] * 4
    torch.testing.assert_close(axis_matrix(2, 16)[0], torch.tensor(expected))
    for size in range(1, 100):
        torch.testing.assert_close(axis_matrix(size, 16), triangle(size), rtol=0, atol=1e-5)


def test_one_column_keeps_its_rows_apart():
    table = torch.randn(256, 5, generator=torch.Generator().manual_seed(0))
    square = table.reshape(16, 16, 5)
    expected = torch.einsum("ri,cj,ijd->rcd", triangle(40), triangle(1), square)[:, 0]
    assert (positions(table, torch.tensor([(40, 1)])) - expected).abs().max() <= 1e-5


def test_autocast_does_not_touch_positions():
    table, grids = torch.randn(256, 5), torch.tensor([(7, 3)])
    expected = positions(table, grids)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(positions(table, grids), expected)
