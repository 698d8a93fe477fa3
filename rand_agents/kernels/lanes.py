"""Rows of numbers that compiled code treats as one: a numba type for vector instructions.

A `Row` holds one number a lane. Code that is written with rows uses vector instructions and keeps
its sums in registers, which compilers do not achieve reliably from loops over single numbers.
Every lane is computed in the same order whatever stands in the others, so a result never
depends on what it shares a batch with.
"""

import hashlib
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.ir as ir
import numba
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import overload, register_model

LANES = 16
"""Lanes of a row."""
SHORT = 8
"""Lanes of a short row, for what is small: one attention head of one roll-out."""

# The result is called with other arguments than the decorated function has.
intrinsic: Callable[[Any], Any] = numba.extending.intrinsic
_unliteral: Callable[[Any], Any] = types.unliteral
_declare: Callable[..., Any] = cgutils.get_or_insert_function

# Products may be fused with sums, nothing else: results do not depend on a compiler's choices.
_FLAGS = ("contract",)
compiled = numba.njit(nogil=True, error_model="numpy")


def sources_of(*files: str) -> int:
    """A number that changes whenever one of some source files does.

    Numba's cache notices a change of a cached function's own file and of what its closure holds,
    but not of compiled functions in other files. And a closure that holds compiled functions is
    compiled anew by every process. So entry points are cached, hold this number, and find the
    functions that they call in their module.
    """
    sources = b"".join(Path(name).read_bytes() for name in files)
    return int(hashlib.sha256(sources).hexdigest()[:15], 16)


class Row(types.Type):
    """`lanes` numbers of one type."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        """A row of type `dtype`, which is float32 or float64."""
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Row({dtype}, {lanes})")


@register_model(Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        element = manager.lookup(kind.dtype).get_value_type()
        super().__init__(manager, kind, ir.VectorType(element, kind.lanes))  # type: ignore[no-untyped-call]


def _place(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> tuple[Any, int]:
    """Pointer to array[at], and the size of an entry in bytes."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [at]), context.get_abi_sizeof(context.get_value_type(kind.dtype))


def _spread(builder: Any, vector: Any, number: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, undefined, mask)


def _loader(lanes: int) -> Any:
    """Make load(x, at): the row x[at : at + lanes] of a flat array; nothing is checked."""

    @intrinsic
    def load(typing: Any, x: Any, at: Any) -> Any:
        row = Row(x.dtype, lanes)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer, size = _place(context, builder, x, *values)
            vector = context.get_value_type(row)
            return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=size)

        return row(x, types.intp), generate

    return load


def _spreader(lanes: int) -> Any:
    """Make spread(x, at): a row that holds x[at] in all lanes; nothing is checked."""

    @intrinsic
    def spread(typing: Any, x: Any, at: Any) -> Any:
        row = Row(x.dtype, lanes)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer, size = _place(context, builder, x, *values)
            return _spread(builder, context.get_value_type(row), builder.load(pointer, align=size))

        return row(x, types.intp), generate

    return spread


load, load_short = _loader(LANES), _loader(SHORT)
spread, spread_short = _spreader(LANES), _spreader(SHORT)


@intrinsic
def store(typing: Any, row: Any, x: Any, at: Any) -> Any:
    """Write a row to x[at : at + lanes] of a flat array; nothing is checked."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer, size = _place(context, builder, x, *values[1:])
        vector = context.get_value_type(row)
        builder.store(values[0], builder.bitcast(pointer, vector.as_pointer()), align=size)
        return context.get_dummy_value()

    return types.void(row, x, types.intp), generate


def _binary(generate_rows: Any) -> Any:
    """An operation on two rows, or a row and a number, which then stands in every lane."""

    @intrinsic
    def apply(typing: Any, a: Any, b: Any) -> Any:
        row = a if isinstance(a, Row) else b

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            rows = []
            for kind, value in zip(signature.args, values, strict=True):
                if not isinstance(kind, Row):
                    number = context.cast(builder, value, kind, row.dtype)
                    value = _spread(builder, context.get_value_type(row), number)
                rows.append(value)
            return generate_rows(builder, *rows)

        return row(_unliteral(a), _unliteral(b)), generate

    return apply


larger = _binary(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


@intrinsic
def by_sign(typing: Any, x: Any, positive: Any, other: Any) -> Any:
    """The lanes of `positive` where those of x are above 0, else the lanes of `other`."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zero = ir.Constant(values[0].type, [0.0] * x.lanes)
        return builder.select(builder.fcmp_ordered(">", values[0], zero), values[1], values[2])

    return x(x, positive, other), generate


def _operator(operation: Any, instruction: str) -> None:
    apply = _binary(lambda builder, a, b: getattr(builder, instruction)(a, b, flags=_FLAGS))

    @overload(operation, strict=False)
    def between(a: Any, b: Any) -> Any:
        return (lambda a, b: apply(a, b)) if isinstance(a, Row) or isinstance(b, Row) else None


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_operation, _instruction)


def _llvm(builder: Any, name: str, result: Any, arguments: list[Any], **flags: Any) -> Any:
    """Call one of LLVM's functions on vectors."""
    vector = arguments[-1].type
    bits = 32 if isinstance(vector.element, ir.FloatType) else 64
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    full_name = f"llvm.{name}.v{vector.count}f{bits}"
    function = _declare(builder.module, kind, full_name)
    return builder.call(function, arguments, **flags)


def _unary(name: str) -> Any:
    @intrinsic
    def apply(typing: Any, row: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return _llvm(builder, name, values[0].type, [values[0]])

        return row(row), generate

    return apply


floor, square_root = _unary("floor"), _unary("sqrt")


@intrinsic
def largest(typing: Any, row: Any) -> Any:
    """The largest number of a row."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        element = values[0].type.element
        return _llvm(builder, "vector.reduce.fmax", element, [values[0]], fastmath=("nnan",))

    return row.dtype(row), generate


@intrinsic
def total(typing: Any, row: Any) -> Any:
    """The sum of a row, in pairs."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        element = values[0].type.element
        arguments = [ir.Constant(element, -0.0), values[0]]
        return _llvm(builder, "vector.reduce.fadd", element, arguments, fastmath=("reassoc",))

    return row.dtype(row), generate


@intrinsic
def power_of_two(typing: Any, row: Any) -> Any:
    """2 to the power of whole numbers, by writing them where floats keep their exponent."""
    single = row.dtype == types.float32
    bits, fraction, bias = (32, 23, 127) if single else (64, 52, 1023)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        whole = ir.VectorType(ir.IntType(bits), row.lanes)
        exponent = builder.add(
            builder.fptosi(values[0], whole), ir.Constant(whole, [bias] * row.lanes)
        )
        shifted = builder.shl(exponent, ir.Constant(whole, [fraction] * row.lanes))
        return builder.bitcast(shifted, context.get_value_type(row))

    return row(row), generate
