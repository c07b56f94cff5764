"""What the service counts, in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "biolink_requests",
            "Requests that were answered, by path and status.",
            ("method", "path", "status"),
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "biolink_requests_in_progress",
            "Requests that have arrived and are not answered yet.",
            registry=self.registry,
        )
        self.seconds = Histogram(
            "biolink_request_seconds",
            "Time from the whole request to the whole answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batches = Histogram(
            "biolink_batch_items",
            "Texts or terms that were linked together.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.batch_seconds = Counter(
            "biolink_batch_seconds",
            "Time in which the model worked.",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "biolink_waiting_characters",
            "Characters in the requests that are waiting.",
            registry=self.registry,
        )

    def observe_batch(self, items: int, seconds: float) -> None:
        """Count a batch."""
        self.batches.observe(items)
        self.batch_seconds.inc(seconds)

    def observe_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; paths with values in them are given as templates."""
        self.requests.labels(method, path, str(status)).inc()
        self.seconds.labels(path).observe(seconds)

    def watch(self, waiting: Callable[[], int]) -> None:
        """Read the number of waiting characters from a function."""
        self.waiting.set_function(waiting)

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
