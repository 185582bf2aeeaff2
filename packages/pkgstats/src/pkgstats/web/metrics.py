"""What is measured, in the text format of Prometheus (0.0.4).

Every label has few values: routes are the first words of paths that exist, all else is ``other``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pkgstats.web.watching import Answered

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends of the histogram of latency, seconds."""

OTHER: Final = "other"

HOME: Final = "home"

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Gauge(NamedTuple):
    """A number that is looked up when somebody asks."""

    name: str
    help: str
    value: float
    kind: str = "gauge"


class Metrics:
    """Counts answers; an observer of `pkgstats.web.watching`."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Take the paths that there are, as routes are written."""
        self._routes = frozenset(_word(one) for one in paths)
        self._answers: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def __call__(self, answered: Answered) -> None:
        """Count an answer."""
        word = _word(answered.path.decode("latin-1"))
        route = word if word in self._routes else OTHER
        self._answers[route, answered.status] += 1
        buckets = self._buckets.setdefault(route, [0] * (len(BUCKETS_S) + 1))
        buckets[bisect_left(BUCKETS_S, answered.seconds)] += 1
        self._seconds[route] += answered.seconds  # type: ignore[assignment]  # seconds, not counts

    def text(self, gauges: Collection[Gauge] = ()) -> str:
        """Everything, with what was looked up elsewhere."""
        return "\n".join([*self._counted(), *self._latencies(), *_lines(gauges), ""])

    def _counted(self) -> Iterable[str]:
        yield from _head("pkgstats_requests_total", "Answers by route and status.", "counter")
        for (route, status), count in sorted(self._answers.items()):
            yield f'pkgstats_requests_total{{route="{route}",status="{status}"}} {count}'

    def _latencies(self) -> Iterable[str]:
        name = "pkgstats_request_seconds"
        yield from _head(name, "Time from a request to the end of its answer.", "histogram")
        for route, buckets in sorted(self._buckets.items()):
            *sums, total = accumulate(buckets)
            for end, count in zip(BUCKETS_S, sums, strict=True):
                yield f'{name}_bucket{{route="{route}",le="{end}"}} {count}'
            yield f'{name}_bucket{{route="{route}",le="+Inf"}} {total}'
            yield f'{name}_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'{name}_count{{route="{route}"}} {total}'


def _lines(gauges: Iterable[Gauge]) -> Iterable[str]:
    for one in gauges:
        yield from _head(one.name, one.help, one.kind)
        yield (
            f"{one.name} {one.value:g}"
            if isinstance(one.value, float)
            else (f"{one.name} {one.value}")
        )


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _word(path: str) -> str:
    """The first word of a path, without a suffix."""
    word = path.lstrip("/").partition("/")[0].partition(".")[0]
    return HOME if word in ("", "index") else word
