"""When the connection to the database breaks, nobody is told that nothing was done unless it is so.

At the worst moments: while it commits, after it has committed, and before the answer is complete.
"""

from collections.abc import AsyncIterator

import pytest

from server.demo import PEOPLE
from tests.api import Api
from tests.cable import Cable, cable_to
from tests.conftest import MakeDatabase


@pytest.fixture
async def cable(make_database: MakeDatabase, demo_template: str) -> AsyncIterator[Cable]:
    with make_database(demo_template) as url:
        async with cable_to(url) as cable:
            yield cable


@pytest.fixture
def demo_url(cable: Cable) -> str:
    """The server's connections go through the cable."""
    return cable.url


async def test_what_is_read_below_the_root_is_unavailable_too(api: Api, cable: Cable) -> None:
    document = "{ currentUser { id memberships { edges { node { role } } } } }"
    assert (await api("texter", document)).ok
    cable.cut_at(PEOPLE["texter"].encode(), is_delivered=True)
    assert (await api("texter", document)).codes == ["SERVICE_UNAVAILABLE"]
