"""How often somebody may try to sign in: per process, forgotten when it ends."""

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from services.users import LONGEST_EMAIL

PER_EMAIL = RateLimitItemPerMinute(10, 5)
PER_ADDRESS = RateLimitItemPerMinute(100, 5)


class Attempts:
    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def allow(self, *, email: str, address: str) -> bool:
        """Counts this attempt, before it is known how it ends: attempts may come all at once."""
        by_email = await self._limiter.hit(PER_EMAIL, "email", _key(email))
        by_address = await self._limiter.hit(PER_ADDRESS, "address", address)
        return by_email and by_address

    async def forgive(self, *, email: str, address: str) -> None:
        """After a success: an office full of texters shares an address."""
        await self._limiter.clear(PER_EMAIL, "email", _key(email))
        await self._limiter.clear(PER_ADDRESS, "address", address)


def _key(email: str) -> str:
    """Of bounded length: it stays in memory for a while."""
    return email[:LONGEST_EMAIL].lower()
