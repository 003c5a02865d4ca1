"""A Prometheus (or what speaks its query API) as a source of slices. Every wait has a limit; what did not come whole is not booked."""

import math
import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from slo.errors import Unreachable
from slo.objective import Objective
from slo.sampling import Samples, by_timeslices, increase, ratio_slice, raw_slice, total
from slo.slices import SLICE_S, Slice
from slo.source import Ratio, Raw

TIMEOUT_S: Final = 10.0
"""Of a connection, and of each wait for more of an answer ..."""
ANSWER_S: Final = 3 * TIMEOUT_S
"""... and of a whole answer: one that trickles in must not hold up the others."""
MOST_BYTES: Final = 32 * 1024 * 1024


class Prometheus:
    """Reads minutes of objectives whose source is a Prometheus. One connection pool; thread-safe."""

    def __init__(self, timeout_s: float = TIMEOUT_S, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def read(self, objective: Objective, begin: int, end: int) -> dict[int, Slice]:
        """The minutes in [begin, end) (Unix seconds, whole minutes) that were seen, by their start.

        Raises Unreachable when the server does not answer, answers with an error, or answers half.
        """
        source = objective.source
        minutes: dict[int, Slice] = {}
        if isinstance(source, Raw):
            series = self._range(source.url, source.query, begin, end)
            if len(series) > 1:
                raise Unreachable(
                    f"{objective.name}: the query gives {len(series)} series; a raw value is one: aggregate it, such as with max()"
                )
            for at in range(begin, end, SLICE_S):
                part = raw_slice(total(series, at), source.op, source.threshold)
                if part is not None:
                    minutes[at] = part
        elif isinstance(source, Ratio):
            whole = self._range(source.url, source.total, begin, end)
            some = self._range(source.url, source.good or source.bad, begin, end)
            value = increase if source.counter else total
            for at in range(begin, end, SLICE_S):
                counted = value(some, at)
                if counted is None and not some and source.bad:
                    # a counter of errors does not exist before the first one; without any good ones the query may be wrong: nothing is known
                    counted = 0.0
                good, bad = (counted, None) if source.good else (None, counted)
                all_of_it = value(whole, at)
                part = ratio_slice(good, bad, all_of_it) if all_of_it is not None and counted is not None else None
                if part is not None:
                    minutes[at] = part
        return by_timeslices(minutes, objective.timeslices) if objective.timeslices is not None else minutes

    def _range(self, url: str, query: str, begin: int, end: int) -> list[Samples]:
        where = f"{url.rstrip('/')}/api/v1/query_range"
        told = shown(url)
        until = time.monotonic() + self._answer_s
        asked = {"query": query, "start": str(begin), "end": str(end), "step": str(SLICE_S)}
        try:
            with self._client.stream("POST", where, data=asked) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > until:
                        raise Unreachable(f"{told}: the answer to {query!r} took longer than {self._answer_s:g} s")
                    if len(body) > MOST_BYTES:
                        raise Unreachable(
                            f"{told}: the answer to {query!r} is larger than {MOST_BYTES // 1024 // 1024} MiB"
                        )
            answer = _json(told, query, response.status_code, bytes(body))
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{told}: {type(error).__name__} {error}. Check the URL, and that Prometheus runs"
            ) from error
        if answer.get("warnings"):
            # a partial answer of a federated store: half of it would be taken for all
            raise Unreachable(f"{told}: a partial answer to {query!r}: {answer['warnings'][0]}")
        data = answer.get("data")
        if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
            raise Unreachable(f"{told}: {query!r} gives no series")
        return [_samples(told, one) for one in data["result"]]


def shown(url: str) -> str:
    """An address as it may be told: without the name and password that it may hold."""
    return url.replace(f"{urlsplit(url).netloc.rpartition('@')[0]}@", "", 1) if "@" in urlsplit(url).netloc else url


def _json(url: str, query: str, status: int, body: bytes) -> dict[str, Any]:
    import orjson

    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreachable(f"{url}: HTTP {status}, and the answer to {query!r} is no JSON or ends half way") from None
    if not isinstance(answer, dict) or answer.get("status") != "success":
        reason = answer.get("error", "no reason") if isinstance(answer, dict) else "no reason"
        raise Unreachable(f"{url}: HTTP {status} to {query!r}: {reason}")
    return answer


def _samples(url: str, series: Any) -> Samples:
    try:
        found = {round(float(at)): float(value) for at, value in series["values"]}
    except (KeyError, TypeError, ValueError):
        raise Unreachable(f"{url}: a series without values") from None
    return {at: value for at, value in found.items() if math.isfinite(value)}
