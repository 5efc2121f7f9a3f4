"""A small HTTP server that can be told to misbehave, for tests of the load balancer.

`python backend.py PORT NAME`; a test runs it inside a machine's network namespace, so that all that
the load balancer does to reach it is real. Every answer names the server in X-Backend.
`/slow?SECONDS` answers late; `/told?SECONDS` does too, and prints a line when it is asked.
"""
import asyncio
import base64
import hashlib
import json
import sys

NAME = sys.argv[2]


async def read_body(reader, headers):
    """Reads the body to its end; its length."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await drop(reader, int(headers.get("content-length", 0)))
    total = 0
    while size := int((await reader.readline()).split(b";")[0], 16):
        total += await drop(reader, size)
        await reader.readexactly(2)
    while await reader.readline() not in (b"\r\n", b""):
        pass
    return total


async def drop(reader, size):
    left = size
    while left:
        data = await reader.read(min(left, 1 << 16))
        if not data:
            raise EOFError
        left -= len(data)
    return size


async def web_socket(reader, writer, key):
    """Echoes frames until a close frame."""
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while True:
        first, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        text = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(length & 127)))
        writer.write(bytes([first, len(text)]) + text)
        await writer.drain()
        if first & 15 == 8:
            return


async def serve(reader, writer):
    while True:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        pairs = [line.split(": ", 1) for line in lines[1:] if ": " in line]
        headers = {name.lower(): value for name, value in pairs}
        path, _, query = target.partition("?")
        if path == "/web-socket":
            return await web_socket(reader, writer, headers["sec-websocket-key"])
        if path == "/hang-up":
            return
        size = await read_body(reader, headers)
        if path == "/events":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(3):
                writer.write(b"9\r\ndata: 1\n\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.3)
            writer.write(b"0\r\n\r\n")
            continue
        if path == "/told":
            print("asked", flush=True)
        if path in ("/slow", "/told"):
            await asyncio.sleep(float(query))
        body = json.dumps({"line": lines[0], "headers": headers, "size": size}).encode()
        writer.write(f"HTTP/1.1 200 OK\r\nX-Backend: {NAME}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + (b"" if method == "HEAD" else body))
        await writer.drain()
        if headers.get("connection", "").lower() == "close":
            return


async def connection(reader, writer):
    try:
        await serve(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError, EOFError):
        pass  # The other side hung up.
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(connection, "0.0.0.0", int(sys.argv[1]), limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
