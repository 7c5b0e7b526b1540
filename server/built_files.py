"""The files of a front-end's production build, as browsers want them: compressed, and kept.

Which files there are is read once: only those are served, so that no path leads out of the folder.
"""

import asyncio
import gzip
import mimetypes
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"
PACKED = {"br": ".br", "gzip": ".gz"}
"""Codings, the best first, and how the build names a file in it."""
SMALLEST_TO_COMPRESS = 1024
COMPRESSIBLE = re.compile(r"text/|application/(javascript|json|manifest\+json)|image/svg")

_static = StaticFiles()
"""Knows how a file is answered, in parts and if it has changed."""


class BuiltFiles:
    """Those below `folder`; none if it doesn't exist."""

    def __init__(self, folder: Path) -> None:
        self._files = _files(folder)

    def has(self, path: str) -> bool:
        """`path`: from the folder on, with a slash before it."""
        return path in self._files

    async def answer(self, request: Request, path: str, *, is_kept: bool) -> Response:
        """In the best coding that the browser takes. `is_kept`: another content would have another
        name."""
        file, codings = self._files[path], _accepted(request.headers.get("accept-encoding", ""))
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        headers = {
            "cache-control": FOR_EVER if is_kept else ASK_EACH_TIME,
            "vary": "accept-encoding",
        }
        for coding, suffix in PACKED.items():
            if coding in codings and (packed := self._files.get(path + suffix)):
                headers["content-encoding"] = coding
                return _answer(request, packed, headers)
        if is_kept and "gzip" in codings and _is_worth_it(file, media_type):
            headers["content-encoding"] = "gzip"
            content = await asyncio.to_thread(_compressed, file)
            return Response(content, headers=headers, media_type=media_type)
        return _answer(request, file, headers)


def _files(folder: Path) -> Mapping[str, Path]:
    """By their paths. Hidden ones are left out, and links that lead elsewhere."""
    root = folder.resolve()
    found = {}
    for path in root.rglob("*"):
        below = path.relative_to(root)
        is_hidden = any(part.startswith(".") for part in below.parts)
        if not is_hidden and path.is_file() and path.resolve().is_relative_to(root):
            found["/" + below.as_posix()] = path
    return found


def _accepted(header: str) -> set[str]:
    wishes = [wish.replace(" ", "").lower().partition(";q=") for wish in header.split(",")]
    return {coding for coding, _, quality in wishes if quality.strip("0.") or not quality}


def _answer(request: Request, file: Path, headers: Mapping[str, str]) -> Response:
    response = _static.file_response(file, os.stat(file), request.scope)
    response.headers.update(headers)
    return response


def _is_worth_it(file: Path, media_type: str) -> bool:
    is_text = COMPRESSIBLE.match(media_type) is not None
    return is_text and file.stat().st_size >= SMALLEST_TO_COMPRESS


@lru_cache(maxsize=512)
def _compressed(file: Path) -> bytes:
    """Once: a bundle costs half a second."""
    return gzip.compress(file.read_bytes(), compresslevel=6)
