"""Functions of rows of numbers: what a transformer needs besides its attention, compiled.

Arrays of activations are flat with the lanes last: (features, LANES).
"""

from typing import Any

from rand_agents.kernels.lanes import (
    LANES,
    compiled,
    floor,
    larger,
    load,
    power_of_two,
    spread,
    square_root,
    store,
)

OUTPUTS = 4
"""Outputs that one pass over the inputs computes: OUTPUTS rows of sums fill the registers."""
NORM_EPSILON = 1e-5
"""Added to the variance, as torch does."""


def padded(count: int, step: int = OUTPUTS) -> int:
    """The least multiple of `step` that is at least `count`."""
    return -(-count // step) * step


@compiled
def multiply(weights: Any, at: int, x: Any, y: Any, depth: int, outputs: int) -> int:
    """Add a packed matrix times x, (depth, LANES), to y, (padded(outputs), LANES).

    The matrix stands at weights[at:], packed as (padded(outputs) / OUTPUTS, depth, OUTPUTS).
    Returns where it ends.
    """
    for first in range(0, outputs * LANES, OUTPUTS * LANES):
        a, b = load(y, first), load(y, first + LANES)
        c, d = load(y, first + 2 * LANES), load(y, first + 3 * LANES)
        for i in range(0, depth * LANES, LANES):
            row = load(x, i)
            a = a + spread(weights, at) * row
            b = b + spread(weights, at + 1) * row
            c = c + spread(weights, at + 2) * row
            d = d + spread(weights, at + 3) * row
            at += OUTPUTS
        store(a, y, first)
        store(b, y, first + LANES)
        store(c, y, first + 2 * LANES)
        store(d, y, first + 3 * LANES)
    return at


@compiled
def fill(weights: Any, at: int, y: Any, width: int) -> int:
    """Write weights[at : at + width] to every lane of y, (width, LANES); returns where they end."""
    for i in range(width):
        store(spread(weights, at + i), y, i * LANES)
    return at + width


@compiled
def add(weights: Any, at: int, y: Any, width: int) -> int:
    """Add weights[at : at + width] to every lane of y, (width, LANES); returns where they end."""
    for i in range(width):
        store(load(y, i * LANES) + spread(weights, at + i), y, i * LANES)
    return at + width


@compiled
def normalise(weights: Any, at: int, x: Any, y: Any, width: int) -> int:
    """LayerNorm of x, (width, LANES), into y; gain and bias stand at weights[at:].

    Returns where they end.
    """
    mean = load(x, 0)
    for i in range(LANES, width * LANES, LANES):
        mean = mean + load(x, i)
    mean = mean / width
    off = load(x, 0) - mean
    square = off * off
    for i in range(LANES, width * LANES, LANES):
        off = load(x, i) - mean
        square = square + off * off
    scale = 1.0 / square_root(square / width + NORM_EPSILON)
    for i in range(width):
        centred = (load(x, i * LANES) - mean) * scale
        gain, bias = spread(weights, at + i), spread(weights, at + width + i)
        store(centred * gain + bias, y, i * LANES)
    return at + 2 * width


@compiled
def exponential(x: Any) -> Any:
    """exp(x) of a row, for x of at most 0, to 2e-8 and the rounding of its type."""
    x = larger(x, -87.0)
    # exp(x) = 2**n * exp(r) with |r| of at most ln(2) / 2, where the Taylor series is short.
    n = floor(x * 1.4426950408889634 + 0.5)
    # ln(2) in two parts, the first with so few bits that n times it is exact.
    r = (x - n * 0.693359375) + n * 2.12194440054690583e-4
    p = r * (1 / 5040) + (1 / 720)
    p = p * r + (1 / 120)
    p = p * r + (1 / 24)
    p = p * r + (1 / 6)
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * power_of_two(n)


@compiled
def gelu(x: Any, width: int) -> None:
    """GELU by the error function, in place, of x, (width, LANES); to 2e-8 and rounding."""
    for i in range(0, width * LANES, LANES):
        row = load(x, i)
        size = larger(row, 0.0 - row)
        # GELU(x) = max(x, 0) - |x| * Phi(-|x|) loses no digits by cancellation.
        store(larger(row, 0.0) - size * normal_tail(size), x, i)


@compiled
def normal_tail(x: Any) -> Any:
    """Probability that a standard normal number is above x, at least 0; x times it to 2e-8."""
    return 0.5 * _erfc(x * 0.7071067811865476)


@compiled
def normal_density(x: Any) -> Any:
    """Density of the standard normal distribution at a row."""
    return 0.3989422804014327 * exponential(x * x * -0.5)


@compiled
def _erfc(z: Any) -> Any:
    # -log(erfc(z)) as a minimax fit on [0, 4.2] that makes z * erfc(z) right to 8e-9; beyond,
    # it grows on.
    q = z * 2.4824629824531272e-05 + -2.5186127526969244e-04
    q = q * z + 8.371860891419436e-04
    q = q * z + 8.79115254963355e-04
    q = q * z + -1.9910946184339477e-02
    q = q * z + 1.030870736308896e-01
    q = q * z + 6.365561741007266e-01
    q = q * z + 1.1283839751861497e00
    return exponential(0.0 - q * z)
