"""The look that a Spoke's superadmins gave it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

PREFIX = "theme."


async def read_theme(session: AsyncSession) -> dict[str, str]:
    """By the names of Spoke's client. Empty where there is none, as on a database of our own, which
    has no table of it."""
    if await session.scalar(text("select to_regclass('instance_setting')")) is None:
        return {}
    rows = await session.execute(
        text("select name, value from instance_setting where name like 'theme.%'")
    )
    return {name.removeprefix(PREFIX): value for name, value in rows}
