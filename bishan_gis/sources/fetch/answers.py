"""Answers that turn out to be no use: dropped, and their server named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bishan_gis.errors import BrokenFileError, NoDataError
from bishan_gis.sources.fetch.web import Web

__all__ = ["answer_of"]


@contextmanager
def answer_of(web: Web, server: str, files: Sequence[Path]) -> Iterator[None]:
    """Read what a server answered; what cannot be read or is empty is not kept.

    Parameters
    ----------
    web : Web
        Offline nothing is dropped: it could not be asked for again.
    server : str
        Its address, for the message.
    files : sequence of pathlib.Path
        Its answers, as they are kept.

    Raises
    ------
    BrokenFileError, NoDataError
        As the work inside raised them, with the server named.
    """
    try:
        yield
    except (BrokenFileError, NoDataError) as err:
        if not web.offline:
            for file in files:
                file.unlink(missing_ok=True)
        done = (
            ("", "")
            if web.offline
            else ("；该回答未保留,请检查地址后再运行", "; it was not kept: check the address, run again")
        )
        raise type(err)(f"{server} 的回答: {err.zh}{done[0]}", f"answer of {server}: {err.en}{done[1]}") from err
