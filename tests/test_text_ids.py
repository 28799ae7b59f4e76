"""Text ids against pandas' own look-up, whatever holds the text; pairs against numpy's sort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bishan_gis.access.matrix import match_pairs
from bishan_gis.access.pairs import sort_pairs
from bishan_gis.access.text_ids import find_texts
from bishan_gis.errors import SchemaError
from bishan_gis.network.jit import HAS_NUMBA

KINDS = [object, "str", pd.StringDtype("python"), pd.StringDtype("pyarrow"), pd.ArrowDtype(pa.string())]
#: Short texts that are prefixes of each other, with zero bytes, across the words of 8 bytes that are compared.
TEXTS = st.text("a\0é", max_size=20) | st.sampled_from(["facility_00", "facility_01", "facility_0", "璧山001"])


@pytest.mark.skipif(not HAS_NUMBA, reason="pandas looks them up")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(TEXTS, unique=True, min_size=1, max_size=40),
    st.lists(TEXTS | st.none(), min_size=1, max_size=60),
    st.sampled_from(KINDS),
    st.sampled_from(KINDS),
    st.integers(0, 3),
)
@example(["", "\0"], ["\0", "", "\0\0", None], "str", object, 0)
def test_texts_are_found_where_pandas_finds_them(known, ids, of, among, skip):
    ids = pd.Series([i for i in ids for _ in range(2)], dtype=object)  # equal neighbours
    told = pd.Index(known, dtype=object).get_indexer(pd.Index(ids, dtype=object))
    told[ids.isna()] = -1
    # A slice of a longer column begins within its buffers.
    column, index = ids.astype(of).iloc[skip:], pd.Index(["before", *known], dtype=among)[1:]
    if column.notna().any():
        assert find_texts(column, index).tolist() == told[skip:].tolist()
        joined = pd.concat([column, column])  # in several chunks
        assert find_texts(joined, index).tolist() == [*told[skip:], *told[skip:]]


@pytest.mark.parametrize("odd", [7, 2**70, b"a", ("a",), 0.5, "\ud800", pd.Timestamp("2026-01-01")])
def test_ids_that_are_not_all_text_are_matched_all_the_same(odd):
    ids = pd.Series(["a", odd, "b", odd], dtype=object)
    assert find_texts(ids, pd.Index(["a", "b"])) is None
    known = pd.Index([odd, "a", "b"], dtype=object, tupleize_cols=False)
    matrix = pd.DataFrame({"from_id": ids, "to_id": ["f", "f", "g", "g"], "cost_s": [1.0, 2, 3, 4]})
    pairs = match_pairs(matrix, origins=known)
    assert (pairs.origin.tolist(), pairs.cost.tolist()) == ([0, 0, 1, 2], [2, 4, 1, 3])


@pytest.mark.parametrize("kind", [*KINDS, "category"])
def test_missing_and_unknown_texts_are_counted_together(kind):
    ids = pd.Series(["a", None, "x", "b"], dtype=object).astype(kind)
    matrix = pd.DataFrame({"from_id": ids, "to_id": ["f", "f", "f", "f"], "cost_s": 1.0})
    with pytest.raises(SchemaError, match="2 rows with a missing or unknown from_id"):
        match_pairs(matrix, origins=pd.Index(["a", "b"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 300)), min_size=1), st.booleans())
def test_pairs_are_sorted_as_numpy_sorts_them(ends, huge):
    """Repeats stay in order; where a number of 63 bits does not hold the key, too."""
    origin, destination = np.array(ends, dtype=np.int32).T.copy()
    n, m = (2**31, 2**31) if huge else (2001, 301)
    cost = np.arange(len(origin), dtype=float)
    order = np.lexsort((destination, origin))
    told = origin[order], destination[order], cost[order]
    for mine, theirs in zip(sort_pairs(origin, destination, cost, n, m), told, strict=True):
        np.testing.assert_array_equal(mine, theirs)
