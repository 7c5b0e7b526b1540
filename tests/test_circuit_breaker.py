"""Services that fail are paused, and tried by one text at a time."""

import pytest

from server.circuit_breaker import (
    FAILURES_IN_A_ROW,
    LONGEST_PAUSE,
    LOOK_SECONDS,
    PROBE_SECONDS,
    SHORTEST_PAUSE,
    CircuitBreaker,
)


class Clock:
    seconds = 1000.0

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock.now)


def fail_often(breaker: CircuitBreaker) -> list[float | None]:
    return [breaker.failed("MG1", n) for n in range(FAILURES_IN_A_ROW)]


def test_some_failures_in_a_row_pause_a_service_alone(breaker: CircuitBreaker) -> None:
    assert fail_often(breaker) == [None] * (FAILURES_IN_A_ROW - 1) + [SHORTEST_PAUSE]
    assert breaker.seconds_to_wait("MG1", 50) == SHORTEST_PAUSE
    assert breaker.seconds_to_wait("MG2", 50) == 0


def test_failures_between_successes_pause_nothing(breaker: CircuitBreaker) -> None:
    for n in range(10 * FAILURES_IN_A_ROW):
        assert breaker.failed("MG1", n) is None
        breaker.succeeded("MG1")
    assert breaker.seconds_to_wait("MG1", 50) == 0


def test_a_service_that_takes_nothing_is_paused_at_once(breaker: CircuitBreaker) -> None:
    assert breaker.failed("MG1", 1, pause_seconds=300) == 300
    assert breaker.seconds_to_wait("MG1", 1) == 300


def test_after_the_pause_one_text_probes(breaker: CircuitBreaker, clock: Clock) -> None:
    fail_often(breaker)
    clock.seconds += SHORTEST_PAUSE
    assert breaker.seconds_to_wait("MG1", 50) == 0
    assert breaker.seconds_to_wait("MG1", 51) == LOOK_SECONDS
    assert breaker.seconds_to_wait("MG1", 50) == 0
    breaker.succeeded("MG1")
    assert breaker.seconds_to_wait("MG1", 51) == 0


def test_pauses_grow_while_probes_fail(breaker: CircuitBreaker, clock: Clock) -> None:
    fail_often(breaker)
    pauses = []
    for probe in range(50, 58):
        clock.seconds += LONGEST_PAUSE
        assert breaker.seconds_to_wait("MG1", probe) == 0
        pauses.append(breaker.failed("MG1", probe))
        assert breaker.seconds_to_wait("MG1", 99) == pauses[-1]
    assert pauses == [4, 8, 16, 32, 60, 60, 60, 60]
    clock.seconds += LONGEST_PAUSE
    assert breaker.seconds_to_wait("MG1", 58) == 0
    breaker.succeeded("MG1")
    assert fail_often(breaker)[-1] == SHORTEST_PAUSE


def test_texts_that_were_under_way_make_no_pause_longer(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail_often(breaker)
    assert fail_often(breaker) == [None] * FAILURES_IN_A_ROW
    assert breaker.failed("MG1", 50, pause_seconds=300) is None
    clock.seconds += SHORTEST_PAUSE
    assert breaker.seconds_to_wait("MG1", 51) == 0


def test_a_probe_that_vanishes_is_followed_by_another(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail_often(breaker)
    clock.seconds += SHORTEST_PAUSE
    assert breaker.seconds_to_wait("MG1", 50) == 0
    clock.seconds += PROBE_SECONDS
    assert breaker.seconds_to_wait("MG1", 51) == 0
    assert breaker.seconds_to_wait("MG1", 50) == LOOK_SECONDS
