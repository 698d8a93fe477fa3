"""Compiled arithmetic on rows of LANES numbers, which vector instructions treat as one.

Arrays that hold one number a lane have the lanes last: (features, LANES). Every lane is computed
in the same order whatever stands in the others, so a result never depends on what it shares a
batch with.
"""

import math
from typing import Any

import llvmlite.ir as ir
import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic, overload

LANES = 16
"""Lanes of a row."""
OUTPUTS = 4
"""Outputs that one pass over the inputs computes: OUTPUTS x LANES sums fill the registers."""
SHORT = 8
"""Lanes of the short rows, for what is small: one attention head of one roll-out."""
NORM_EPSILON = 1e-5
"""Added to the variance, as torch does."""

# Products may be fused with sums and sums reordered; infinities and NaN keep their meaning.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


def _add_product(outputs: int, lanes: int) -> Any:
    """Make add_product(weights, at, x, x_at, stride, y, y_at, depth).

    It adds, for o < outputs and l < lanes, the sum over i < depth of
    weights[at + i * outputs + o] * x[x_at + i * stride + l] to y[y_at + o * lanes + l].
    All three arrays are flat; depth is at least 1. Written in LLVM's terms, because no arrangement of loops makes
    the compiler keep all the sums in registers.
    """

    @intrinsic
    def add_product(
        typing: Any, weights: Any, at: Any, x: Any, x_at: Any, stride: Any, y: Any, y_at: Any,
        depth: Any,
    ) -> Any:  # fmt: skip
        arguments = (weights, at, x, x_at, stride, y, y_at, depth)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            element = context.get_value_type(weights.dtype)
            vector = ir.VectorType(element, lanes)
            width = ir.Constant(ir.IntType(64), outputs)
            size = context.get_abi_sizeof(element)
            pointers = [
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args, values, strict=True)
                if isinstance(kind, types.Array)
            ]
            at, x_at, stride, y_at, depth = (values[i] for i in (1, 3, 4, 6, 7))
            zero, one = ir.Constant(ir.IntType(64), 0), ir.Constant(ir.IntType(64), 1)

            def place(pointer: Any, index: Any) -> Any:
                return builder.gep(pointer, [index])

            def as_vector(pointer: Any, index: Any) -> Any:
                return builder.bitcast(place(pointer, index), vector.as_pointer())

            targets = [
                as_vector(pointers[2], builder.add(y_at, ir.Constant(ir.IntType(64), o * lanes)))
                for o in range(outputs)
            ]
            initial = [builder.load(target, align=size) for target in targets]
            before = builder.block
            loop = builder.append_basic_block("products")
            after = builder.append_basic_block("stored")
            builder.branch(loop)
            builder.position_at_end(loop)
            i = builder.phi(ir.IntType(64))
            sums = [builder.phi(vector) for _ in range(outputs)]
            row = builder.load(
                as_vector(pointers[1], builder.add(x_at, builder.mul(i, stride))), align=size
            )
            first = builder.add(at, builder.mul(i, width))
            grown = []
            for o in range(outputs):
                index = builder.add(first, ir.Constant(ir.IntType(64), o))
                weight = builder.load(place(pointers[0], index), align=size)
                single = builder.insert_element(
                    ir.Constant(vector, ir.Undefined), weight, ir.Constant(ir.IntType(32), 0)
                )
                mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                spread = builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), mask)
                product = builder.fmul(spread, row, flags=("contract",))
                grown.append(builder.fadd(sums[o], product, flags=("contract",)))
            following = builder.add(i, one)
            i.add_incoming(zero, before)
            i.add_incoming(following, loop)
            for o in range(outputs):
                sums[o].add_incoming(initial[o], before)
                sums[o].add_incoming(grown[o], loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
            builder.position_at_end(after)
            for total, target in zip(grown, targets, strict=True):
                builder.store(total, target, align=size)
            return context.get_dummy_value()

        return types.void(*arguments), generate

    return add_product


_add_products = _add_product(OUTPUTS, LANES)
add_short_product = _add_product(1, SHORT)


def exponential(x: float) -> float:
    """exp(x) for x of at most 0, to the rounding of its type."""
    return math.exp(x)


def error_function(x: float) -> float:
    """erf(x), to the rounding of its type."""
    return math.erf(x)


@overload(exponential, inline="always")
def _exponential(x: Any) -> Any:
    if x != types.float32:
        return lambda x: math.exp(x)
    return _exponential_32


@overload(error_function, inline="always")
def _error_function(x: Any) -> Any:
    if x != types.float32:
        return lambda x: math.erf(x)
    return _error_function_32


# The library's functions are called for one number at a time; these become vector instructions.
def _exponential_32(x: Any) -> Any:
    # exp(x) = 2**n * exp(r) with r of at most ln(2) / 2; the Taylor series is short enough there.
    x = max(x, np.float32(-87.0))
    n = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    # ln(2) in two parts, the first with few bits, so that n times it is exact.
    r = (x - n * np.float32(0.693359375)) - n * np.float32(-2.12194440054690583e-4)
    p = np.float32(1 / 5040)
    p = p * r + np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r + np.float32(1.0)
    p = p * r + np.float32(1.0)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    return p * power.view(np.float32)


def _error_function_32(x: Any) -> Any:
    # x * N(x^2) / D(x^2), a minimax fit of relative error 2e-8; from 3.9 on the value is 1.
    z = min(max(x, np.float32(-3.9)), np.float32(3.9))
    t = z * z
    n = np.float32(2.06648215e-06)
    n = n * t + np.float32(2.85062422e-04)
    n = n * t + np.float32(3.73833349e-03)
    n = n * t + np.float32(5.26680434e-02)
    n = n * t + np.float32(1.89666460e-01)
    n = n * t + np.float32(1.12837915e00)
    d = np.float32(3.82701261e-05)
    d = d * t + np.float32(1.15737412e-03)
    d = d * t + np.float32(1.49142506e-02)
    d = d * t + np.float32(1.13818816e-01)
    d = d * t + np.float32(5.01420305e-01)
    d = d * t + np.float32(1.0)
    return z * n / d


@compiled
def multiply(weights: Any, at: int, x: Any, y: Any, depth: int, outputs: int) -> int:
    """Add a packed matrix times x, flat (depth, LANES), to y, flat (padded(outputs), LANES).

    The matrix stands at weights[at:], packed as (padded(outputs) / OUTPUTS, depth, OUTPUTS).
    Returns where it ends.
    """
    for first in range(0, outputs, OUTPUTS):
        _add_products(weights, at, x, 0, LANES, y, first * LANES, depth)
        at += depth * OUTPUTS
    return at


@compiled
def normalise(weights: Any, at: int, x: Any, y: Any, width: int, sums: Any) -> int:
    """LayerNorm of x, flat (width, LANES), into y; gain and bias stand at weights[at:].

    Uses sums, (2, LANES), for means and variances. Returns where the weights end.
    """
    sums[:] = 0
    for i in range(width):
        for lane in range(LANES):
            sums[0, lane] += x[i * LANES + lane]
    for lane in range(LANES):
        sums[0, lane] /= width
    for i in range(width):
        for lane in range(LANES):
            off = x[i * LANES + lane] - sums[0, lane]
            sums[1, lane] += off * off
    for lane in range(LANES):
        sums[1, lane] = 1 / np.sqrt(sums[1, lane] / width + NORM_EPSILON)
    for i in range(width):
        gain, bias = weights[at + i], weights[at + width + i]
        for lane in range(LANES):
            off = x[i * LANES + lane] - sums[0, lane]
            y[i * LANES + lane] = off * sums[1, lane] * gain + bias
    return at + 2 * width


@compiled
def gelu(x: Any, rows: int) -> None:
    """GELU, in place, of the first rows of x, flat (rows, LANES)."""
    half = x.dtype.type(0.5)
    root = x.dtype.type(0.7071067811865476)
    for i in range(rows):
        for lane in range(LANES):
            value = x[i * LANES + lane]
            x[i * LANES + lane] = half * value * (x.dtype.type(1) + error_function(value * root))


def padded(count: int, step: int = OUTPUTS) -> int:
    """The least multiple of `step` that is at least `count`."""
    return -(-count // step) * step
