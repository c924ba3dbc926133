"""Clients on Python libraries that run every case of a fuzzing server and echo what they get: STACK PORT AGENT."""

import asyncio
import sys

STACK, PORT, AGENT = sys.argv[1:]
LIMIT = 1 << 26


async def websockets(url, echo):
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    last = None
    try:
        async with connect(url, max_size=LIMIT, ping_interval=None, proxy=None) as socket:
            async for last in socket:
                if echo:
                    await socket.send(last)
    except (WebSocketException, OSError):
        pass
    return last


async def aiohttp(url, echo):
    from aiohttp import ClientSession, WSMsgType

    last = None
    try:
        # With compress=15 it offers permessage-deflate.
        async with ClientSession() as session, session.ws_connect(url, max_msg_size=LIMIT, compress=15) as socket:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                last = message.data
                if echo:
                    await (socket.send_str if message.type is WSMsgType.TEXT else socket.send_bytes)(last)
    except Exception as error:
        print(f"{url}: {type(error).__name__}: {error}", flush=True)
    return last


async def tornado(url, echo):
    from tornado.websocket import WebSocketClosedError, websocket_connect

    last = None
    socket = await websocket_connect(url, max_message_size=LIMIT)
    while (message := await socket.read_message()) is not None:
        last = message
        if echo:
            try:
                await socket.write_message(message, binary=isinstance(message, bytes))
            except WebSocketClosedError:
                break
    return last


async def main():
    open_ = {"websockets": websockets, "aiohttp": aiohttp, "tornado": tornado}[STACK]
    base = f"ws://127.0.0.1:{PORT}"
    count = int(await open_(f"{base}/getCaseCount", False))
    for case in range(1, count + 1):
        try:
            await asyncio.wait_for(open_(f"{base}/runCase?case={case}&agent={AGENT}", True), 60)
        except TimeoutError:
            print(f"case {case} took too long", flush=True)
    await open_(f"{base}/updateReports?agent={AGENT}", False)


asyncio.run(main())
