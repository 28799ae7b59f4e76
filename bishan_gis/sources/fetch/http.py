"""Download a file: politely, within limits, and on from where the last try stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from bishan_gis.errors import NetworkError, OutputError
from bishan_gis.sources.datasets import file_sha256
from bishan_gis.sources.fetch.content import Check, page_title
from bishan_gis.sources.fetch.parts import drop_part, held_part, marks_file
from bishan_gis.sources.fetch.web import Answer, Web

__all__ = ["ask_size", "ask_text", "download"]

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})
_MOST_MOVES = 5
_BLOCK = 1 << 16
_MB = 1_000_000
_CHANGED = ("服务器上的文件已改变", "the file on the server has changed")
_ELSEWHERE = ("服务器续传的位置不对", "the server went on from another place")
_SLOW = ("服务器太慢", "the server is too slow")


class _AgainError(Exception):
    """A failure that may pass."""

    def __init__(self, zh: str, en: str, *, wait_s: float | None = None, got: int = 0, busy: bool = False) -> None:
        self.zh, self.en, self.wait_s, self.got, self.busy = zh, en, wait_s, got, busy
        super().__init__(en)


def download(
    web: Web,
    url: str,
    target: Path,
    *,
    check: Check,
    whole: Callable[[Path], tuple[str, str] | None] | None = None,
    data: dict[str, str] | None = None,
    wait_hint: Callable[[], float | None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Answer:
    """Fetch one file; it appears whole or not at all.

    Parameters
    ----------
    web : Web
        How to ask.
    url : str
        Where it is.
    target : pathlib.Path
        Where it goes. Until it is whole it is called ``<name>.part`` and stays there when the work is interrupted; the
        next call goes on from its end, unless the file on the server has changed since.
    check : callable
        Says from the first bytes what is wrong with them, see :mod:`bishan_gis.sources.fetch.content`.
    whole : callable, optional
        Says what is wrong with the finished file; what is wrong is fetched again.
    data : dict, optional
        Form fields: the server is asked by POST, and nothing is resumed.
    wait_hint : callable, optional
        Asked for the wait [s] where a server is busy and does not say how long.
    progress : callable, optional
        Called with the bytes that are here, and in all (0 where the server does not say).

    Returns
    -------
    Answer
        What came.

    Raises
    ------
    NetworkError
        Offline; no answer after all tries; an answer that is not what was asked for, is too large, or comes from a
        host that nobody named.
    OutputError
        It cannot be written.
    """
    _check_online(web, url)
    part = target.with_name(target.name + ".part")
    left, had = web.tries, 0
    failed: list[_AgainError] = []
    while left > 0:
        if failed:
            _wait(web, failed[-1], web.tries - left, url, wait_hint)
        try:
            with _writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                answer = _attempt(web, url, part, check, data, progress)
                wrong = whole(part) if whole else None
                if wrong:
                    drop_part(part)
                    raise _AgainError(*wrong)
                sha256 = file_sha256(part)
                part.replace(target)
                drop_part(part)
            return Answer(answer.url, target.stat().st_size, sha256, answer.last_modified)
        except _AgainError as err:
            failed.append(err)
            left = web.tries if err.got - had > _BLOCK else left - 1
            had = max(had, err.got)
    last = failed[-1]
    raise NetworkError(
        f"{url}: 连续 {web.tries} 次失败 (最后: {last.zh});请稍后再运行同一命令,会从中断处继续",
        f"{url}: failed {web.tries} times in a row (last: {last.en}); run the same command later to go on from there",
    )


def ask_text(web: Web, url: str, *, max_bytes: int = 100_000) -> str | None:
    """Return a short text such as a status page, or None where there is none."""
    _check_online(web, url)
    try:
        with _open(web, url, {"Accept-Encoding": "identity"}, None) as (response, _):
            if response.status_code != 200:
                return None
            return _short(web, response, max_bytes).decode("utf-8", errors="replace")
    except (_AgainError, NetworkError):
        return None


def ask_size(web: Web, url: str) -> int | None:
    """Return how big a file is that a server holds [bytes], or None where it does not say."""
    _check_online(web, url)
    try:
        with _open(web, url, {"Accept-Encoding": "identity"}, None, method="HEAD") as (response, _):
            return _number(response.headers.get("Content-Length")) if response.status_code == 200 else None
    except (_AgainError, NetworkError):
        return None


# One attempt ----------------------------------------------------------------


@dataclass(frozen=True)
class _Came:
    url: str
    last_modified: str


def _attempt(
    web: Web,
    url: str,
    part: Path,
    check: Check,
    data: dict[str, str] | None,
    progress: Callable[[int, int], None] | None,
) -> _Came:
    """Ask once; append to what is there, or begin anew."""
    held, marks = held_part(part, url) if data is None else (0, {})
    headers = {"Accept-Encoding": "gzip" if data is not None else "identity"}
    if held:
        headers |= {"Range": f"bytes={held}-", "If-Range": marks["mark"]}
    with _open(web, url, headers, data) as (response, final):
        status = response.status_code
        if status == 416 and held:
            if _number(response.headers.get("Content-Range", "").rpartition("/")[2]) == held:
                return _Came(final, marks.get("last_modified", ""))
            drop_part(part)
            raise _AgainError(*_CHANGED)
        if status not in (200, 206):
            _refuse(web, response, url)
        if status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            drop_part(part)
            raise _AgainError(*_ELSEWHERE)
        begin = held if status == 206 else 0
        coded = response.headers.get("Content-Encoding", "identity") != "identity"
        length = None if coded else _number(response.headers.get("Content-Length"))
        total = begin + length if length is not None else 0
        _check_size(web, url, total)
        mark = response.headers.get("ETag", "")
        last = response.headers.get("Last-Modified", "")
        if not begin:
            drop_part(part)
            mark = last if mark.startswith("W/") or not mark else mark
            if data is None and mark:
                text = json.dumps({"url": url, "mark": mark, "last_modified": last})
                marks_file(part).write_text(text, encoding="utf-8")
        _receive(web, url, response, part, begin, total, check, progress)
        return _Came(final, last)


def _receive(
    web: Web,
    url: str,
    response: Any,
    part: Path,
    begin: int,
    total: int,
    check: Check,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write what comes; look at the first bytes before any is kept."""
    from urllib3.exceptions import HTTPError

    got, looked = begin, begin > 0
    since, there = web.clock(), begin
    head = b""
    try:
        with part.open("ab" if begin else "wb") as out:
            # What is there, not a full block: a trickle is seen as one, and nothing that came is lost.
            while block := response.raw.read1(_BLOCK, decode_content=True):
                if not looked:
                    head += block
                    block = b""
                    if len(head) >= 64 or 0 < total <= len(head):
                        _look(url, head, check)
                        looked, block = True, head
                out.write(block)
                got += len(block)
                _check_size(web, url, got)
                if progress and looked:
                    progress(got, max(total, got) if total else 0)
                if web.clock() - since > web.timeout_s:
                    if got - there < web.slow_bytes_s * web.timeout_s:
                        raise _AgainError(*_SLOW, got=got)
                    since, there = web.clock(), got
            if not looked:
                _look(url, head, check)
                out.write(head)
                got += len(head)
    except HTTPError as err:
        raise _AgainError(*_silence(err), got=got) from err
    if total and got != total:
        raise _AgainError(f"传输中断 ({got:,} / {total:,} 字节)", f"cut off after {got:,} of {total:,} bytes", got=got)


def _short(web: Web, response: Any, most: int) -> bytes:
    """Return the begin of an answer; what is not here within `timeout_s` in all is not waited for."""
    from urllib3.exceptions import HTTPError

    out, since = b"", web.clock()
    try:
        while len(out) < most and (block := response.raw.read1(_BLOCK, decode_content=True)):
            out += block
            if web.clock() - since > web.timeout_s:
                raise _AgainError(*_SLOW)
    except HTTPError as err:
        raise _AgainError(*_silence(err)) from err
    return out[:most]


def _look(url: str, head: bytes, check: Check) -> None:
    if title := page_title(head):
        raise _AgainError(f"服务器回答了一个网页: {title}", f"the server answered with a web page: {title}", busy=True)
    if wrong := check(head):
        raise NetworkError(
            f"{url}: 内容不对: {wrong[0]};请检查 [fetch] 中的地址", f"{url}: {wrong[1]}; check the address in [fetch]"
        )


@contextmanager
def _open(
    web: Web, url: str, headers: dict[str, str], data: dict[str, str] | None, *, method: str = ""
) -> Iterator[tuple[Any, str]]:
    """Ask, and follow a redirect only where it leads to a host that was named."""
    import requests

    at, verb = url, method or ("GET" if data is None else "POST")
    with requests.Session() as session:
        session.headers["User-Agent"] = web.agent
        # Else `requests` reads where a redirect leads, and all of its page, before it is looked at here.
        session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]  # noqa: ARG005
        for _ in range(_MOST_MOVES + 1):
            try:
                response = session.request(
                    verb,
                    at,
                    headers=headers,
                    data=data,
                    stream=True,
                    allow_redirects=False,
                    timeout=(min(web.timeout_s, 30.0), web.timeout_s),
                )
            except requests.RequestException as err:
                raise _AgainError(*_silence(err)) from err
            with response:
                if response.status_code not in _MOVED or "Location" not in response.headers:
                    yield response, at
                    return
                at = _moved(web, at, response.headers["Location"])
    raise NetworkError(
        f"{url}: 转向超过 {_MOST_MOVES} 次", f"{url}: moved more than {_MOST_MOVES} times; check the address in [fetch]"
    )


def _moved(web: Web, at: str, location: str) -> str:
    """Return where a redirect leads, if one may go there."""
    try:
        there = urljoin(at, location)
        old, new = urlsplit(at), urlsplit(there)
        ours, host = (old.hostname or "").removeprefix("www."), (new.hostname or "").removeprefix("www.")
        same = host == ours and (new.port == old.port or new.scheme != old.scheme)
    except ValueError as err:  # a port or host that cannot be
        raise NetworkError(
            f"{at}: 被转向到无效地址 {location[:100]!r};请检查 [fetch] 中的地址",
            f"{at}: sent on to what is no address, {location[:100]!r}; check the address in [fetch]",
        ) from err
    listed = {h.lower() for h in web.hosts}
    below = host.endswith("." + ours) and new.scheme == "https"
    safe = new.scheme == "https" or (new.scheme == "http" and old.scheme == "http")
    if safe and host and (same or below or host in listed or (new.hostname or "") in listed):
        return there
    shown = f"{new.scheme}://{new.netloc}"
    raise NetworkError(
        f"{at}: 被转向到 {shown},不是所要的主机;网络可能需要登录。若确认可信,请写入 [fetch] hosts",
        f"{at}: sent on to {shown}, a host nobody named; the network may want a login. "
        "If you trust it, name it in [fetch] hosts",
    )


def _refuse(web: Web, response: Any, url: str) -> None:
    """Raise what a status means: try again, or not. Its page may come or break off."""
    status = response.status_code
    try:
        said = page_title(_short(web, response, 4096)) or response.reason or ""
    except _AgainError:
        said = response.reason or ""
    if status in _AGAIN:
        wait = _retry_after(response.headers.get("Retry-After"))
        raise _AgainError(
            f"服务器忙 ({status} {said})", f"the server is busy ({status} {said})", wait_s=wait, busy=True
        )
    raise NetworkError(
        f"{url}: 服务器拒绝 ({status} {said});请检查 [fetch] 中的地址",
        f"{url}: refused ({status} {said}); check the address in [fetch]",
    )


def _retry_after(text: str | None) -> float | None:
    """Return the seconds that a server asks to wait: a number or a date."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text.strip())
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _wait(web: Web, err: _AgainError, failures: int, url: str, hint: Callable[[], float | None] | None) -> None:
    """Wait as the server asks, else twice as long as before, blurred so that not all come back at once."""
    asked = err.wait_s
    if asked is None and err.busy and hint:
        asked = hint()
    if asked is not None and asked > web.longest_wait_s:
        raise NetworkError(
            f"{url}: 服务器要求 {asked:,.0f} 秒后再来;请届时再运行同一命令",
            f"{url}: the server asks to come back in {asked:,.0f} s; run the same command then",
        )
    grown = min(web.first_wait_s * 2 ** max(failures - 1, 0), web.longest_wait_s)
    web.sleep(grown * (0.5 + web.chance()) if asked is None else asked + web.chance())


# Small things ---------------------------------------------------------------


def _check_online(web: Web, url: str) -> None:
    if web.offline:
        raise NetworkError(
            f"离线模式: 本地没有 {url} 的数据;请去掉 --offline", f"offline: {url} is not here yet; drop --offline"
        )


def _check_size(web: Web, url: str, size: int) -> None:
    if size > web.max_bytes:
        most = web.max_bytes / _MB
        raise NetworkError(
            f"{url}: 大于 {most:,.0f} MB;若确实需要,请提高 [fetch] max_mb",
            f"{url}: larger than {most:,.0f} MB; raise [fetch] max_mb if you want it",
        )


def _silence(err: Exception) -> tuple[str, str]:
    said = type(err).__name__
    return f"连接失败或中断 ({said})", f"no connection, or it broke ({said})"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdecimal() and len(text) < 20 else None


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Turn a full disk or a closed folder into an error of ours."""
    try:
        yield
    except (NetworkError, _AgainError):
        raise
    except OSError as err:
        raise OutputError(
            f"无法写入 {target}: {err.strerror or err};请检查磁盘空间和权限",
            f"cannot write {target}: {err.strerror or err}; check free space and permissions",
        ) from err
