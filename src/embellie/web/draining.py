"""Draining: a server told to stop answers on for some seconds, so that whoever spreads the load can look elsewhere first.

A load balancer sends readers to a server until it has noticed that it stops: Kubernetes takes a pod out of its Service a
moment after the pod was told to. A server that closes its port at once refuses those readers. So it says "stopping" at
`/readyz` first, answers on, asks each connection to be the last (`Connection: close`), and closes the port afterwards.
"""

import asyncio
import time

import uvicorn

TICK = 0.1
_TICKS_A_SECOND = 10


async def drain(server: uvicorn.Server, seconds: float) -> None:
    """Answer on for so many seconds, each answer the last of its connection; a second Ctrl-C ends it at once."""
    if seconds <= 0:
        return
    # Both protocols write these headers on every answer, and close a connection that says so.
    server.config.encoded_headers.append((b"connection", b"close"))
    until, turn = time.monotonic() + seconds, 0
    while time.monotonic() < until and not server.force_exit:
        if turn % _TICKS_A_SECOND == 0:
            await server.on_tick(0)
        turn += 1
        await asyncio.sleep(min(TICK, max(until - time.monotonic(), 0)))
