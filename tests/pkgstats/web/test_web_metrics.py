from __future__ import annotations

import re

from pkgstats.web.metrics import BUCKETS_S, Gauge, Metrics
from pkgstats.web.watching import Answered

PATHS = ["/", "/search", "/package/{name:npm}", "/robots.txt"]


def answered(path: bytes, status: int = 200, seconds: float = 0.0) -> Answered:
    return Answered("192.0.2.7", "GET", path, b"", "1.1", status, 9, seconds)


def test_answers_are_counted_by_route_and_status() -> None:
    metrics = Metrics(PATHS)
    for path in (b"/", b"/index.json", b"/package/@a/b", b"/package/c.json", b"/robots.txt"):
        metrics(answered(path))
    metrics(answered(b"/package/x", 404))
    text = metrics.text()
    assert 'pkgstats_requests_total{route="home",status="200"} 2\n' in text
    assert 'pkgstats_requests_total{route="package",status="200"} 2\n' in text
    assert 'pkgstats_requests_total{route="package",status="404"} 1\n' in text
    assert 'pkgstats_requests_total{route="robots",status="200"} 1\n' in text


def test_strangers_make_no_labels() -> None:
    metrics = Metrics(PATHS)
    for number in range(1000):
        metrics(answered(f'/x{number}"}} 1\n'.encode(), 404))
    assert metrics.text().count("\n") < 25
    assert 'pkgstats_requests_total{route="other",status="404"} 1000\n' in metrics.text()


def test_latencies_are_a_histogram() -> None:
    metrics = Metrics(PATHS)
    for seconds in (0.0001, 0.001, 0.0011, 99.0):
        metrics(answered(b"/search", seconds=seconds))
    text = metrics.text()
    found = re.findall(r'bucket\{route="search",le="(.+)"\} (\d+)', text)
    assert [end for end, _ in found] == [*(str(one) for one in BUCKETS_S), "+Inf"]
    assert [count for _, count in found][:4] == ["1", "2", "3", "3"]
    assert found[-1][1] == "4"
    assert 'pkgstats_request_seconds_count{route="search"} 4\n' in text
    assert 'pkgstats_request_seconds_sum{route="search"} 99.002200\n' in text


def test_other_numbers_stand_beside_them() -> None:
    text = Metrics(PATHS).text([Gauge("a_total", "All.", 10**9, "counter"), Gauge("b", "B.", 0.5)])
    assert "# HELP a_total All.\n# TYPE a_total counter\na_total 1000000000\n" in text
    assert "# TYPE b gauge\nb 0.5\n" in text
    assert text.endswith("\n")
