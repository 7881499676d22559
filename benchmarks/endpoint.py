"""Ten thousand calls to a loopback server with 20 ms latency, beside a bare `openai` loop.

    .venv/bin/python benchmarks/endpoint.py
    .venv/bin/python benchmarks/endpoint.py --calls 2000 --at-once 32

Both ask the same questions with the same concurrency, of a server in a process of its own that
waits and says one sentence. The bare loop is a semaphore around `AsyncOpenAI` and keeps nothing;
ours writes each call down before and after, counts its budget and adapts. The ledger is also
clocked alone, and the same run is done again, when everything is there already.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import openai

from pellucid.endpoint import Bound, Call, Client, Endpoint, Ledger, ModelSetting, Reply
from pellucid.endpoint.base import asked
from pellucid.schema.record import user

LATENCY_S = 0.02
MODEL = ModelSetting("fake", max_tokens=50)
BODY = json.dumps(
    {
        "id": "c", "object": "chat.completion", "created": 0, "model": "fake",
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": "It is a bar of seven. " * 5}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40},
    }
).encode()  # fmt: skip
REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)  # fmt: skip


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, request after request."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            await asyncio.sleep(LATENCY_S)
            writer.write(REPLY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def serve(told: Connection) -> None:
    """A server that says its port and answers until it is ended."""

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def bare(url: str, count: int, at_once: int) -> float:
    """Seconds of the plainest loop."""

    async def run() -> float:
        client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        room = asyncio.Semaphore(at_once)

        async def one(number: int) -> None:
            async with room:
                await client.chat.completions.create(
                    model="fake", max_tokens=50, seed=number, temperature=1.0,
                    messages=[{"role": "user", "content": f"question {number}"}],
                )  # fmt: skip

        start = time.perf_counter()
        await asyncio.gather(*(one(number) for number in range(count)))
        seconds = time.perf_counter() - start
        await client.close()
        return seconds

    return asyncio.run(run())


def ours(url: str, calls: list[Call], at_once: int, folder: Path) -> tuple[float, float]:
    """Seconds of a run, and of the same run again."""
    told = Endpoint((url,), MODEL, start=at_once, most=at_once)
    with Ledger(folder / "calls.sqlite") as ledger:
        client = Client(told, ledger, lambda sha256: b"")
        start = time.perf_counter()
        ended = client.run(calls, "bench")
        first = time.perf_counter() - start
        assert ended.bought == len(calls) and ended.sent == len(calls)
        start = time.perf_counter()
        assert client.run(calls, "bench").had == len(calls)
        return first, time.perf_counter() - start


def ledger_alone(calls: list[Call], folder: Path) -> float:
    """Seconds of all that the ledger does for the calls: keys, look-ups, two writes each."""
    reply = Reply("answered", "It is a bar of seven. " * 5, None, "stop", 10, 30)
    bound = Bound(100, 0.0)
    start = time.perf_counter()
    with Ledger(folder / "alone.sqlite") as ledger:
        for call in calls:
            one = asked(call, MODEL)
            assert ledger.state(one.key) is None
            row = ledger.begin(one, MODEL, "bench", "http://x", bound)
            ledger.finish(row, reply, bound, 0.02)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    calls = [Call((user(f"question {at}"),), (), 0, at) for at in range(told.calls)]
    bare(url, min(200, told.calls), told.at_once)
    names = ("bare", "bare cpu", "ours", "ours cpu", "again", "ledger")
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(told.rounds):
        with tempfile.TemporaryDirectory() as name:
            start = time.process_time()
            found["bare"].append(bare(url, told.calls, told.at_once))
            found["bare cpu"].append(time.process_time() - start)
            start = time.process_time()
            first, again = ours(url, calls, told.at_once, Path(name))
            found["ours cpu"].append(time.process_time() - start - again)
            found["ours"].append(first)
            found["again"].append(again)
            found["ledger"].append(ledger_alone(calls, Path(name)))
    server.terminate()
    median = {name: statistics.median(seconds) for name, seconds in found.items()}
    each = {name: 1e6 * seconds / told.calls for name, seconds in median.items()}
    print(f"{told.calls} calls, {told.at_once} at once, {1000 * LATENCY_S:.0f} ms latency; openai "
          f"{openai.__version__}; medians of {told.rounds} rounds in turns")  # fmt: skip
    print(f"bare openai loop   {told.calls / median['bare']:8.0f} calls/s, "
          f"{each['bare cpu']:.0f} us of CPU a call")  # fmt: skip
    print(f"ours               {told.calls / median['ours']:8.0f} calls/s, "
          f"{each['ours cpu']:.0f} us of CPU a call; {median['ours'] / median['bare']:.2f} x the "
          f"time, {each['ours'] - each['bare']:+.0f} us a call")  # fmt: skip
    print(f"its ledger alone   {each['ledger']:8.0f} us a call: key, look-up, two writes")
    print(f"the same run again {told.calls / median['again']:8.0f} calls/s looked up, none sent")


if __name__ == "__main__":
    main()
