"""How many texts a second a provider is handed."""

import asyncio
from collections.abc import Callable

from aiolimiter import AsyncLimiter

BURST_SECONDS = 0.05
"""What is due in that time is let through at once: timers for each would be too slow."""
LOOK_SECONDS = 0.01


class RateLimit:
    """Texts have their turn in the order in which they came. Who no longer wants to leaves the
    line at once, without using up anybody's turn."""

    def __init__(self, per_second: float) -> None:
        burst = max(1, per_second * BURST_SECONDS)
        self._limiter = AsyncLimiter(burst, burst / per_second)
        self._head = asyncio.Lock()

    async def turn(self, is_wanted: Callable[[], bool]) -> bool:
        """Whether the turn came while it was wanted."""
        async with self._head:
            while is_wanted():
                if self._limiter.has_capacity():
                    await self._limiter.acquire()  # at once
                    return True
                await asyncio.sleep(LOOK_SECONDS)
        return False
