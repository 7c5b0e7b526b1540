"""A cable to PostgreSQL that breaks at a chosen moment, and can be mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy.engine import make_url


class Cable:
    """Passes on what it gets, until it is cut: then nothing comes through, new connections too."""

    def __init__(self, url: str) -> None:
        self.target = url
        self._is_cut = False
        self._sign: bytes | None = None
        self._is_delivered = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Future[Any]] = set()
        self.url = ""

    def cut_at(self, sign: bytes, *, is_delivered: bool) -> None:
        """As soon as PostgreSQL answers something with this in it, which still arrives or not."""
        self._sign, self._is_delivered = sign, is_delivered

    def cut(self) -> None:
        self._is_cut, self._sign = True, None
        for end in self._ends:
            end.close()

    def mend(self) -> None:
        self._is_cut = False

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._passing)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        target = make_url(self.target)
        from_postgres, to_postgres = await asyncio.open_connection(target.host, target.port)
        self._ends |= {writer, to_postgres}
        passing = asyncio.gather(
            self._pass_on(reader, to_postgres), self._pass_back(from_postgres, writer)
        )
        self._passing.add(passing)
        await passing

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def _pass_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                is_sign = self._sign is not None and self._sign in data
                if self._is_delivered or not is_sign:
                    writer.write(data)
                if is_sign:
                    self.cut()
        writer.close()


@asynccontextmanager
async def cable_to(url: str) -> AsyncIterator[Cable]:
    cable = Cable(url)
    listening = await asyncio.start_server(cable.connect, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    cable.url = make_url(url).set(port=port).render_as_string(hide_password=False)
    async with listening:
        yield cable
        await cable.close()
