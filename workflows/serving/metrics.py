"""What Prometheus reads at /metrics: requests, queue, tokens, latency, refusals."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from palimpsest.dlm_core.serving.engine import Engine

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
REASONS = {
    401: "unauthorized",
    403: "forbidden",
    408: "late",
    411: "no_length",
    413: "too_long",
    422: "invalid",
    429: "overloaded",
}
GONE = "499"  # the client went away before it had an answer


class Metrics:
    """The figures of one server, in a registry of its own. What is refused before it is routed counts for one of `endpoints`, or
    for "other": a label for whatever path somebody asks for would have no bound.
    """

    def __init__(self, engine: Engine, endpoints: tuple[str, ...]):
        self.endpoints = frozenset(endpoints)
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("palimpsest_requests", "Requests answered", ["endpoint", "status"], registry=registry)
        self.latency = Histogram(
            "palimpsest_request_latency_seconds",
            "From the head of a request to the end of its answer",
            ["endpoint"],
            buckets=SECONDS,
            registry=registry,
        )
        self.refusals = Counter("palimpsest_refusals", "Requests refused", ["reason"], registry=registry)
        self.in_flight = Gauge("palimpsest_requests_in_flight", "Requests that have no answer yet", registry=registry)
        for reason in REASONS.values():
            self.refusals.labels(reason)
        self.registry.register(EngineFigures(engine))

    def answer(self) -> Response:
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def note(self, scope: Scope, status: str, seconds: float) -> None:
        asked = getattr(scope.get("route"), "path", scope["path"])
        endpoint = asked if "route" in scope or asked in self.endpoints else "other"
        self.requests.labels(endpoint, status).inc()
        self.latency.labels(endpoint).observe(seconds)
        if status.isdigit() and (reason := REASONS.get(int(status))):
            self.refusals.labels(reason).inc()


class EngineFigures(Collector):
    """The load and the counters of an engine, read when they are asked for."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def collect(self) -> Iterator[Metric]:
        active, waiting = self.engine.load
        counters = self.engine.counters
        yield GaugeMetricFamily("palimpsest_queue_active", "Jobs that can share the next step", active)
        yield GaugeMetricFamily("palimpsest_queue_waiting", "Jobs that wait beside them", waiting)
        yield GaugeMetricFamily("palimpsest_queue_seconds", "Seconds of work known to be in line", self.engine.backlog)
        jobs = CounterMetricFamily("palimpsest_jobs", "Jobs that ended, by how", labels=["end"])
        for end in ("done", "failed", "cancelled", "rejected"):
            jobs.add_metric([end], getattr(counters, end))
        yield jobs
        yield CounterMetricFamily("palimpsest_steps", "Denoising steps of canvases", counters.steps)
        tokens = CounterMetricFamily("palimpsest_tokens", "Rows of the canvases that were stepped", labels=["from"])
        tokens.add_metric(["model"], counters.computed)
        tokens.add_metric(["cache"], counters.rows - counters.computed)
        yield tokens


class Measured:
    """ASGI middleware that counts and times every request, whatever becomes of it."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, begun = GONE, time.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, noted)
        except Exception:
            status = "500"
            raise
        finally:
            self.metrics.in_flight.dec()
            self.metrics.note(scope, status, time.monotonic() - begun)
