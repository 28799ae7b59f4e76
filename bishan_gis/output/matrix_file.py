"""The travel matrix as a Parquet file, written block by block: it is never whole in memory, the file always is."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bishan_gis.access.pair_search import PairBlock, PairSearch, prepare_pairs
from bishan_gis.errors import BrokenFileError, InputError, MissingFileError, OutputError
from bishan_gis.output.files import Staging, check_ending
from bishan_gis.schema import KINDS, weakest_kind

if TYPE_CHECKING:
    import pandas as pd

    from bishan_gis.network.costs import EdgeCosts
    from bishan_gis.network.graph import Network
    from bishan_gis.progress import Progress

__all__ = ["read_matrix_metadata", "write_travel_matrix"]

#: Key of the metadata of the file.
_KEY = b"bishan_gis"


def write_travel_matrix(
    path: str | Path,
    network: Network,
    costs: EdgeCosts,
    origins: pd.DataFrame,
    destinations: pd.DataFrame,
    *,
    cutoff_s: float,
    max_snap_m: float = 300.0,
    direction: str = "to",
    engine: str = "auto",
    threads: int = 2,
    progress: Progress | None = None,
) -> int:
    """Write the travel matrix to a Parquet file, one row group per block of destinations.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, ending in ``.parquet``; what stands there is replaced when the new one is complete, and only then.
        Whatever stops the writing before, Ctrl-C included, leaves the folder as it was.
    network, costs : Network, EdgeCosts
        Streets and what they cost the traveller.
    origins, destinations : pandas.DataFrame
        As :func:`~bishan_gis.access.travel_matrix.travel_matrix`.
    cutoff_s : float
        Longest time, inclusive [s].
    max_snap_m : float
        Places farther from every street are in no pair [m].
    direction, engine : str
        As :func:`~bishan_gis.access.travel_matrix.travel_matrix`.
    threads : int
        Blocks searched at the same time.
    progress : callable or bool, optional
        Called with blocks done and in all; True draws a bar.

    Returns
    -------
    int
        Number of pairs written.

    Raises
    ------
    MissingColumnError, SchemaError, InputError
        As :func:`~bishan_gis.access.travel_matrix.travel_matrix`; or the name does not end in ``.parquet``.
    OutputError
        The folder or file cannot be written.

    Notes
    -----
    Columns ``from_id, to_id, cost_s`` as in :func:`~bishan_gis.access.travel_matrix.travel_matrix`;
    ``pandas.read_parquet`` gives that table back, ids categorical. Memory is that of
    :func:`~bishan_gis.access.travel_matrix.travel_blocks`. The metadata says what the numbers are:
    :func:`read_matrix_metadata`.

    Examples
    --------
    >>> write_travel_matrix("walk.parquet", network, costs, cells, schools, cutoff_s=900)  # doctest: +SKIP
    """
    path = Path(path)
    check_ending(path, (".parquet", ".pq"), "Parquet")
    search = prepare_pairs(
        network,
        costs,
        origins,
        destinations,
        cutoff_s=cutoff_s,
        max_snap_m=max_snap_m,
        direction=direction,
        engine=engine,
    )
    about = {
        "cutoff_s": float(cutoff_s),
        "max_snap_m": float(max_snap_m),
        "direction": direction,
        "profile": costs.profile.name,
        "mode": costs.profile.mode,
        "slope": costs.slope,
        "crs": network.crs.to_string(),
        "kind": _kind(network, origins, destinations),
        "origins": len(search.origin_ids),
        "destinations": len(search.destination_ids),
    }
    with Staging({"folder": path.parent}) as out:
        hidden = out.path("folder", path.name)
        try:
            pairs = _write(hidden, search, about, threads, progress)
        except OSError as err:
            raise OutputError(
                f"无法写入 {path}: {err};请检查文件夹权限和磁盘空间",
                f"cannot write {path}: {err}; check permissions and free space",
            ) from err
        out.commit()
    return pairs


def _write(
    hidden: Path,
    search: PairSearch,
    about: dict[str, Any],
    threads: int,
    progress: Progress | None,
) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from_ids = pa.array(search.origin_ids.to_numpy(dtype=object))
    to_ids = pa.array(search.destination_ids.to_numpy(dtype=object))
    schema = pa.schema(
        {
            "from_id": pa.dictionary(pa.int32(), from_ids.type),
            "to_id": pa.dictionary(pa.int32(), to_ids.type),
            "cost_s": pa.float64(),
        },
        metadata={_KEY: json.dumps(about, ensure_ascii=False).encode()},
    )

    def table(block: PairBlock) -> Any:
        last = block.first + len(block.start) - 1
        here = pa.array(block.destination - block.first)
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(block.origin), from_ids),
            pa.DictionaryArray.from_arrays(here, to_ids[block.first : last]),
            pa.array(block.cost_ms / 1000),
        ]
        return pa.table(columns, schema=schema)

    pairs = 0
    with (
        pq.ParquetWriter(hidden, schema, compression="zstd", use_dictionary=["from_id", "to_id"]) as writer,
        closing(search.blocks(threads=threads, progress=progress)) as blocks,
    ):
        for block in blocks:
            if len(block.origin):
                writer.write_table(table(block), row_group_size=len(block.origin))
                pairs += len(block.origin)
    return pairs


def _kind(network: Network, origins: pd.DataFrame, destinations: pd.DataFrame) -> str:
    """Say what the times rest on: at best derived, else the weakest of streets and places."""
    kinds = {"derived", *network.edge_kind}
    for table in (origins, destinations):
        if "kind" in table.columns:
            kinds |= set(table["kind"])
    return weakest_kind(k for k in kinds if k in KINDS)


def read_matrix_metadata(path: str | Path) -> dict[str, Any]:
    """Read what the numbers of a travel matrix file are.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of :func:`write_travel_matrix`.

    Returns
    -------
    dict
        ``cutoff_s`` [s], ``max_snap_m`` [m], ``direction``, ``profile``, ``mode``, ``slope``, ``crs``, ``kind`` (what
        the times rest on), ``origins`` and ``destinations`` (how many were asked for).

    Raises
    ------
    MissingFileError, BrokenFileError
        There is no such file, or it is not Parquet.
    InputError
        It is Parquet and not one of ours.

    Examples
    --------
    >>> read_matrix_metadata("walk.parquet")["cutoff_s"]  # doctest: +SKIP
    900.0
    """
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except FileNotFoundError as err:
        raise MissingFileError(f"找不到 {path}", f"no file {path}") from err
    except (OSError, ValueError) as err:
        raise BrokenFileError(f"{path}: 不是有效的 Parquet: {err}", f"{path}: not valid Parquet: {err}") from err
    if _KEY not in metadata:
        raise InputError(f"{path}: 不是本工具写的出行矩阵", f"{path}: not a travel matrix written by this package")
    about: dict[str, Any] = json.loads(metadata[_KEY])
    return about
