"""Steps of a search on 16 sources at once: the numbers of a node lie side by side and are handled as one vector.

With numba they are written as vector instructions, which a compiler does not find in loops over arrays that might
overlap; without it they are the same steps in numpy. Costs are int32 [ms], and :data:`FAR` plus any cost fits.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read through its signature

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.network.jit import HAS_NUMBA

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FAR", "LANES", "pull", "relax", "tally"]

#: Sources that are searched from together.
LANES = 16
#: Not reached, and longest cost a search can hold but one [ms]: 298 hours.
FAR = 2**30 - 1

relax: Callable[..., Any]
pull: Callable[..., Any]
tally: Callable[..., Any]

if HAS_NUMBA:
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    _COSTS = ir.VectorType(ir.IntType(32), LANES)
    _SUMS = ir.VectorType(ir.DoubleType(), LANES)

    def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
        return context.make_array(kind)(context, builder, array).data

    def _row(builder: Any, data: Any, row: Any, vector: Any) -> Any:
        """Point at the vector of one row of a flat array."""
        at = builder.mul(row, ir.Constant(row.type, LANES))
        return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())

    def _load(builder: Any, pointer: Any, size: int) -> Any:
        out = builder.load(pointer)
        out.align = size
        return out

    def _store(builder: Any, value: Any, pointer: Any, size: int) -> None:
        builder.store(value, pointer).align = size

    def _spread(builder: Any, value: Any, vector: Any) -> Any:
        """Fill a vector with one number."""
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, first, mask)

    def _least(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.icmp_signed("<", b, a), b, a)

    def _item(builder: Any, data: Any, at: Any) -> Any:
        return builder.load(builder.gep(data, [at]))

    @intrinsic
    def _relax(typingctx, cost, to, of, more):  # type: ignore[no-untyped-def]
        """Lower row `to` of `cost` to row `of` plus `more`."""
        sig = types.void(cost, types.int64, types.int64, types.int32)

        def build(context, builder, sig, args):  # type: ignore[no-untyped-def]
            data = _data(context, builder, sig.args[0], args[0])
            target = _row(builder, data, args[1], _COSTS)
            come = _load(builder, _row(builder, data, args[2], _COSTS), 4)
            come = builder.add(come, _spread(builder, args[3], _COSTS))
            _store(builder, _least(builder, _load(builder, target, 4), come), target, 4)
            return context.get_dummy_value()

        return sig, build

    @intrinsic
    def _pull(typingctx, cost, to, fresh, of, more, first, last):  # type: ignore[no-untyped-def]
        """Lower row `to` of `cost`, or write it anew, by the rows ``of[first:last]`` plus ``more[first:last]``."""
        sig = types.void(cost, types.int64, types.boolean, of, more, types.int64, types.int64)

        def build(context, builder, sig, args):  # type: ignore[no-untyped-def]
            data = _data(context, builder, sig.args[0], args[0])
            rows, extra = (_data(context, builder, sig.args[i], args[i]) for i in (3, 4))
            target = _row(builder, data, args[1], _COSTS)
            best = cgutils.alloca_once(builder, _COSTS)  # type: ignore[no-untyped-call]
            is_new = builder.trunc(args[2], ir.IntType(1)) if args[2].type.width > 1 else args[2]
            with builder.if_else(is_new) as (new, old):
                with new:
                    builder.store(ir.Constant(_COSTS, [FAR] * LANES), best)
                with old:
                    builder.store(_load(builder, target, 4), best)
            with cgutils.for_range_slice(builder, args[5], args[6], ir.Constant(ir.IntType(64), 1)) as (k, _):
                row = builder.sext(_item(builder, rows, k), ir.IntType(64))
                come = _load(builder, _row(builder, data, row, _COSTS), 4)
                come = builder.add(come, _spread(builder, _item(builder, extra, k), _COSTS))
                builder.store(_least(builder, builder.load(best), come), best)
            _store(builder, builder.load(best), target, 4)
            return context.get_dummy_value()

        return sig, build

    @intrinsic
    def _tally(typingctx, total, row, cost, of, amount, count, cutoff):  # type: ignore[no-untyped-def]
        """Add ``amount[k]`` to row `row` of `total` where row ``of[k]`` of `cost` is at most `cutoff`, k < count."""
        sig = types.void(total, types.int64, cost, of, amount, types.int64, types.int32)

        def build(context, builder, sig, args):  # type: ignore[no-untyped-def]
            sums, data, rows, amounts = (_data(context, builder, sig.args[i], args[i]) for i in (0, 2, 3, 4))
            target = _row(builder, sums, args[1], _SUMS)
            limit = _spread(builder, args[6], _COSTS)
            nothing = ir.Constant(_SUMS, [0.0] * LANES)
            held = cgutils.alloca_once(builder, _SUMS)  # type: ignore[no-untyped-call]
            builder.store(_load(builder, target, 8), held)
            with cgutils.for_range(builder, args[5]) as loop:
                row = builder.sext(_item(builder, rows, loop.index), ir.IntType(64))
                near = builder.icmp_signed("<=", _load(builder, _row(builder, data, row, _COSTS), 4), limit)
                value = _spread(builder, _item(builder, amounts, loop.index), _SUMS)
                builder.store(builder.fadd(builder.load(held), builder.select(near, value, nothing)), held)
            _store(builder, builder.load(held), target, 8)
            return context.get_dummy_value()

        return sig, build

    relax, pull, tally = _relax, _pull, _tally

else:

    def _relax_rows(cost: NDArray[np.int32], to: int, of: int, more: int) -> None:
        """Lower row `to` of `cost` to row `of` plus `more`."""
        rows = cost.reshape(-1, LANES)
        np.minimum(rows[to], rows[of] + np.int32(more), out=rows[to])

    def _pull_rows(
        cost: NDArray[np.int32],
        to: int,
        fresh: bool,
        of: NDArray[np.int32],
        more: NDArray[np.int32],
        first: int,
        last: int,
    ) -> None:
        """Lower row `to` of `cost`, or write it anew, by the rows ``of[first:last]`` plus ``more[first:last]``."""
        rows = cost.reshape(-1, LANES)
        if fresh:
            rows[to] = FAR
        for k in range(first, last):
            np.minimum(rows[to], rows[of[k]] + more[k], out=rows[to])

    def _tally_rows(
        total: NDArray[np.float64],
        row: int,
        cost: NDArray[np.int32],
        of: NDArray[np.int32],
        amount: NDArray[np.float64],
        count: int,
        cutoff: int,
    ) -> None:
        """Add ``amount[k]`` to row `row` of `total` where row ``of[k]`` of `cost` is at most `cutoff`, k < count."""
        rows, sums = cost.reshape(-1, LANES), total.reshape(-1, LANES)
        for k in range(count):
            sums[row] += np.where(rows[of[k]] <= cutoff, amount[k], 0.0)

    relax, pull, tally = _relax_rows, _pull_rows, _tally_rows
