"""Runs a module of this package as a child process that reads its options from the standard input."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(module: str, options: Mapping[str, Any]) -> AsyncIterator[int]:
    """The process's id while the block lasts; then it is killed. Options are no arguments: everybody may read those."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=pipe)
    try:
        if process.stdin is not None:
            process.stdin.write(json.dumps(options).encode())
            process.stdin.close()
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
