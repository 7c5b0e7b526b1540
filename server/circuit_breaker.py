"""When a messaging service gets no texts for a while: each that its provider certainly refuses
takes time from texts of others, and each whose outcome is unclear is late by ten minutes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

FAILURES_IN_A_ROW = 5
"""That pause a service, unless it says by itself that it takes nothing."""
SHORTEST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
PROBE_SECONDS = 30.0
"""How long to wait for what becomes of a probe, which may never be handed over."""
LOOK_SECONDS = 1.0
"""After which those behind a probe ask again."""


@dataclass(slots=True)
class _Circuit:
    """`until`: when it is no longer open; None: it is closed. `probe`: the text that was let
    through since."""

    failures: int = 0
    pause: float = 0.0
    until: float | None = None
    probe: int | None = None


class CircuitBreaker:
    """A circuit for each service: closed while texts get through; open during a pause; then it
    lets one text through as a probe, which closes it or makes the next pause longer."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: in seconds, and never back."""
        self._now = now
        self._circuits: dict[str, _Circuit] = {}

    def seconds_to_wait(self, service: str, message_id: int) -> float:
        """0: the text may be handed over now. May be asked again for the same text."""
        circuit = self._circuits.get(service)
        if circuit is None or circuit.until is None or circuit.probe == message_id:
            return 0
        left = circuit.until - self._now()
        if left <= 0:
            circuit.probe, circuit.until = message_id, self._now() + PROBE_SECONDS
            return 0
        return left if circuit.probe is None else min(left, LOOK_SECONDS)

    def succeeded(self, service: str) -> None:
        """Its provider has answered, also if it refused the text."""
        self._circuits.pop(service, None)

    def failed(
        self, service: str, message_id: int, *, pause_seconds: float | None = None
    ) -> float | None:
        """`pause_seconds`: for which nothing else would get through either, if that is known.
        Returns for how long the service is paused, if that begins now."""
        circuit = self._circuits.setdefault(service, _Circuit())
        if circuit.until is not None and circuit.probe != message_id:
            return None  # it was handed over before
        circuit.failures += 1
        is_closed = circuit.until is None
        if pause_seconds is None and is_closed and circuit.failures < FAILURES_IN_A_ROW:
            return None
        longer = min(max(2 * circuit.pause, SHORTEST_PAUSE), LONGEST_PAUSE)
        circuit.pause = longer if pause_seconds is None else pause_seconds
        circuit.until, circuit.probe = self._now() + circuit.pause, None
        return circuit.pause
