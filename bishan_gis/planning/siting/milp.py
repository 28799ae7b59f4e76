"""Mixed-integer programs as arrays, solved by HiGHS: the optimum with its proof, or what is missing to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bishan_gis.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Outcome", "Program", "Rows", "solve_program", "stack_rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Constraints ``lower <= A x <= upper``, A row by row.

    Attributes
    ----------
    start : ndarray of int64, shape (m + 1,)
        Where the entries of each row begin.
    index : ndarray of int32
        Column of each entry.
    value : ndarray of float64
        Coefficient of each entry.
    lower, upper : ndarray of float64, shape (m,)
        Bounds of each row, infinite where there is none.
    """

    start: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @classmethod
    def from_entries(
        cls, row: ArrayLike, column: ArrayLike, value: ArrayLike, *, lower: ArrayLike, upper: ArrayLike
    ) -> Rows:
        """Sort entries by row and column."""
        r, c = np.asarray(row, dtype=np.int64), np.asarray(column, dtype=np.int32)
        low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        order = np.lexsort((c, r))
        count = np.bincount(r, minlength=len(low))
        values = np.broadcast_to(np.asarray(value, dtype=np.float64), r.shape)
        return cls(np.r_[0, np.cumsum(count)], c[order], values[order], low, high)

    @classmethod
    def single(cls, column: ArrayLike, value: ArrayLike, *, lower: float = -np.inf, upper: float = np.inf) -> Rows:
        """Make one constraint."""
        c = np.asarray(column)
        return cls.from_entries(np.zeros(len(c)), c, value, lower=[lower], upper=[upper])


def stack_rows(parts: Sequence[Rows]) -> Rows:
    """Put constraints below each other."""
    ends = np.cumsum([0, *(len(p.index) for p in parts)])
    return Rows(
        np.concatenate([np.zeros(1, np.int64), *(p.start[1:] + at for p, at in zip(parts, ends, strict=False))]),
        np.concatenate([p.index for p in parts]),
        np.concatenate([p.value for p in parts]),
        np.concatenate([p.lower for p in parts]),
        np.concatenate([p.upper for p in parts]),
    )


@dataclass(frozen=True, eq=False)
class Program:
    """Minimise ``cost @ x`` subject to rows and bounds.

    Attributes
    ----------
    cost : ndarray of float64, shape (n,)
        Coefficients of what is minimised.
    integer : ndarray of bool, shape (n,)
        Which columns are whole numbers.
    lower, upper : ndarray of float64, shape (n,)
        Bounds of the columns.
    rows : Rows
        Constraints.
    """

    cost: NDArray[np.float64]
    integer: NDArray[np.bool_]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    rows: Rows

    def add(self, *rows: Rows) -> Program:
        """Return the program with further constraints."""
        return replace(self, rows=stack_rows([self.rows, *rows]))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the solver found.

    Attributes
    ----------
    status : str
        ``optimal``: proven; ``time_limit``: the best found so far; ``infeasible``: proven to have no solution.
    x : ndarray of float64 or None
        The solution; None where none was found.
    objective, bound : float
        Its value, and the value that no solution can be below.
    """

    status: str
    x: NDArray[np.float64] | None
    objective: float
    bound: float


def solve_program(
    program: Program,
    *,
    start: NDArray[np.float64] | None = None,
    time_limit_s: float = 60.0,
    whole: bool = False,
) -> Outcome:
    """Solve a program; the same input gives the same answer unless the time runs out.

    Parameters
    ----------
    program : Program
        What to solve.
    start : ndarray of float64, optional
        A solution to begin with, whole or of the integer columns only (the others NaN).
    time_limit_s : float
        Longest time [s].
    whole : bool
        Every solution has a whole-numbered objective: a bound less than 1 away is then a proof.

    Returns
    -------
    Outcome
        The optimum with its proof, or the best found and its bound.

    Raises
    ------
    InputError
        The solver refuses the program, as with numbers that are not finite.

    Notes
    -----
    HiGHS (Huangfu & Hall 2018, doi:10.1007/s12532-017-0130-5) without parallelism and with a fixed seed. The gap
    asked for is 1e-9 of the objective (less than 1 where `whole`), so that `optimal` means proven up to the solver's
    tolerances.

    Examples
    --------
    The dearer of two things that do not fit together:

    >>> program = Program(
    ...     cost=np.array([-2.0, -3.0]),
    ...     integer=np.array([True, True]),
    ...     lower=np.zeros(2),
    ...     upper=np.ones(2),
    ...     rows=Rows.single([0, 1], [1.0, 1.0], upper=1.0),
    ... )
    >>> found = solve_program(program)
    >>> found.status, found.x.round().tolist(), round(found.objective, 6)
    ('optimal', [0.0, 1.0], -3.0)
    """
    import highspy

    class Silent(highspy.Highs):  # type: ignore[misc]
        """A solver that does not write its name to standard output before it can be told not to."""

        def enableCallbacks(self) -> None:  # noqa: N802
            self.setOptionValue("output_flag", False)
            super().enableCallbacks()  # type: ignore[no-untyped-call]

    n, rows = len(program.cost), program.rows
    solver: Any = Silent()  # type: ignore[no-untyped-call]
    options = {
        "parallel": "off",
        "random_seed": 0,
        "mip_rel_gap": 0.0 if whole else 1e-9,
        "mip_abs_gap": 0.999 if whole else 1e-6,
        "mip_feasibility_tolerance": 1e-7,
        "time_limit": float(time_limit_s),
    }
    for name, value in options.items():
        solver.setOptionValue(name, value)
    nothing = np.zeros(0, dtype=np.int32)
    given = solver.passModel(
        n,
        len(rows.lower),
        len(rows.index),
        0,
        int(highspy.MatrixFormat.kRowwise.value),
        1,  # the form of the quadratic part, of which there is none
        int(highspy.ObjSense.kMinimize.value),
        0.0,
        program.cost,
        program.lower,
        program.upper,
        rows.lower,
        rows.upper,
        rows.start[:-1].astype(np.int32),
        rows.index,
        rows.value,
        nothing,
        nothing,
        nothing.astype(np.float64),
        program.integer.astype(np.int32),
    )
    if given == highspy.HighsStatus.kError:
        zh = "求解器不接受此模型;请检查权重、费用与时间是否为有限数"
        raise InputError(zh, "the solver refuses the model; check that weights, prices and times are finite")
    if start is not None:
        known = np.flatnonzero(np.isfinite(start)).astype(np.int32)
        solver.setSolution(len(known), known, start[known])
    solver.run()
    status = solver.getModelStatus()
    states = highspy.HighsModelStatus
    if status in (states.kInfeasible, states.kUnboundedOrInfeasible):
        return Outcome("infeasible", None, np.inf, np.inf)
    info = solver.getInfo()
    has = int(info.primal_solution_status) == int(highspy.SolutionStatus.kSolutionStatusFeasible.value)
    x = np.array(solver.getSolution().col_value) if has else None
    objective = float(info.objective_function_value) if has else np.inf
    if status == states.kOptimal:
        bound = float(info.mip_dual_bound) if program.integer.any() else objective
        return Outcome("optimal", x, objective, min(bound, objective))
    return Outcome("time_limit", x, objective, float(info.mip_dual_bound))
