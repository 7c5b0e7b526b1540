"""What a process counts of itself. server/metrics.py shows it to Prometheus.

Labels come from sets that we know: fields of the schema, codes, outcomes; never from a client.
"""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Histogram(
    "spoke_credits_request_duration_seconds",
    "Answered requests: by root field (or several, introspection, or the endpoint), and by the "
    "code of the first error (or the HTTP status).",
    ["operation", "code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BATCHES = Histogram(
    "spoke_credits_send_batch_size",
    "Texts that shared a transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
SENDS = Counter(
    "spoke_credits_sends",
    "Wishes to send a text: ACCEPTED, REPEATED with the same key, or the code of the refusal.",
    ["outcome"],
)
WEBSOCKETS = Gauge("spoke_credits_websockets", "People who are connected to watch.")


def count_request(operation: str, code: str, seconds: float) -> None:
    _request(operation, code).observe(seconds)


def count_send(outcome: str) -> None:
    _send(outcome).inc()


# To find a label's place takes longer than to count.
@cache
def _request(operation: str, code: str) -> Histogram:
    return REQUESTS.labels(operation, code)


@cache
def _send(outcome: str) -> Counter:
    return SENDS.labels(outcome)
