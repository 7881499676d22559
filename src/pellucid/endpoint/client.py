"""Sends calls and writes down what comes back: the only place that talks to an endpoint.

One loop starts requests while there is room (`limiter`) and budget (`budget`); each is in the
ledger before it is sent. openai's client carries them; its retries, its redirects, the
environment's proxies and the headers that describe this machine are off, so that nothing goes
anywhere but to the addresses that were named. Failures are rows, never exceptions. Leaves out on
purpose: streaming.
"""

import asyncio
import heapq
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

from pellucid.base.errors import Problem, UserError
from pellucid.base.seeds import derive
from pellucid.base.stop import Stop
from pellucid.endpoint.base import BOUGHT, Asked, Call, Endpoint, Reply, asked
from pellucid.endpoint.budget import Bound, Budget, Limits, Spent, bound_of, charge
from pellucid.endpoint.ledger import Ledger
from pellucid.endpoint.limiter import Lane, Limiter, Signal
from pellucid.endpoint.wire import body_of, failure_of, reply_of, told

Reason = Literal["", "asked", "budget", "down", "refused"]
"""Why a run ended before its calls did: Ctrl-C, a limit, no answer any more, a wrong key."""

_FLUSH_S = 1.0
_LONGEST_BACKOFF_S = 60.0
_NEVER_UP, _DOWN = 3, 10
"""Failures in a row of every address after which an endpoint is given up: one that has not answered
yet, and one that has (with rests between them that add up to about a minute)."""
_SKIPPED = 500
"""Calls that are looked up in the ledger before open requests get their turn."""


@dataclass(slots=True)
class Ended:
    """What a run did."""

    had: int = 0
    """Calls that were bought before."""
    bought: int = 0
    failed: int = 0
    """Calls that are open still, after all their attempts."""
    held: int = 0
    """Calls that wait for the result of a batch."""
    sent: int = 0
    """Requests."""
    stopped: Reason = ""
    why: str = ""
    """In words, where it was stopped by the endpoint."""
    errors: dict[str, int] = field(default_factory=dict)
    """Failed requests by their message."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is told while it runs."""

    done: int
    spent: Spent
    room: int
    """Requests that may be open now."""


@dataclass(order=True, slots=True)
class _Try:
    due: float
    number: int
    asked: Asked = field(compare=False)
    bound: Bound = field(compare=False)
    attempt: int = field(compare=False, default=1)


@final
class Client:
    """One endpoint with its ledger and its budget."""

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        image: Callable[[str], bytes],
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        """A client; nothing is opened before `run`.

        Args:
            endpoint: where to ask.
            ledger: where everything is written down.
            image: gives the encoded bytes of a hash.
            limits: over everything in the ledger.
        """
        self.endpoint, self.ledger, self._image = endpoint, ledger, image
        self._limits = limits

    def run(
        self,
        calls: Iterable[Call],
        job: str,
        watch: Callable[[Watch], None] | None = None,
        stop: Stop | None = None,
        again: bool = False,
    ) -> Ended:
        """Buy an answer to every call that has none; the replies are in the ledger.

        Args:
            calls: taken as there is room for them, so they may be many.
            job: what they are for; kept in the ledger.
            watch: told after each answer.
            stop: when it asks, nothing more is sent, and what is open is waited for.
            again: also ask what was refused for good before, or waits for a batch.
        """
        run = _Run(self, job, watch, stop or Stop(), again)
        return asyncio.run(run.all(iter(calls)))

    def budget(self) -> Budget:
        """The budget, less what the ledger says was spent."""
        return Budget(self._limits, self.ledger.spent())

    def body(self, call: Call) -> dict[str, Any]:
        """The JSON body of a request."""
        return body_of(call, self.endpoint.model, self._image)


@final
class _Run:
    """The state of one `Client.run`."""

    def __init__(
        self,
        client: Client,
        job: str,
        watch: Callable[[Watch], None] | None,
        stop: Stop,
        again: bool,
    ) -> None:
        self._client, self._job, self._watch, self._stop = client, job, watch, stop
        self._endpoint, self._ledger = client.endpoint, client.ledger
        self._again = again
        self._budget = client.budget()
        room = (self._endpoint.start, self._endpoint.most)
        self._limiter = Limiter(self._endpoint.urls, *room, self._endpoint.backoff_s / 2)
        self._ended = Ended()
        self._live: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._retries: list[_Try] = []
        self._head: _Try | None = None
        self._drained = False
        self._fault: BaseException | None = None
        self._number = 0

    async def all(self, calls: Iterator[Call]) -> Ended:
        """Send until everything has an answer or something says stop."""
        self._wake = asyncio.Event()
        flushing = asyncio.create_task(self._flush())
        self._http = {url: _connect(self._endpoint, url) for url in self._endpoint.urls}
        try:
            while True:
                wait_s = self._start(calls)
                if self._fault is not None:
                    raise self._fault
                if wait_s is None:
                    break
                await self._sleep(wait_s)
        finally:
            for task in (flushing, *self._tasks):
                task.cancel()
            await asyncio.gather(flushing, *self._tasks, return_exceptions=True)
            for http in self._http.values():
                await http.close()
        left = (*self._retries, *([self._head] if self._head else []))
        self._ended.failed += sum(one.attempt > 1 for one in left)
        return self._ended

    async def _flush(self) -> None:
        """The ledger onto the disk, again and again; in a thread, so that nothing waits for it."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            await asyncio.to_thread(self._ledger.flush)

    def _start(self, calls: Iterator[Call]) -> float | None:
        """Start what can be started.

        Returns:
            Seconds to wait at most before looking again; None when all is done.
        """
        while not self._halted():
            self._skipped = 0
            if self._head is None:
                self._head = self._next(calls)
            if self._head is None:
                break
            lane = self._limiter.take(time.monotonic())
            if lane is None:
                break
            if not self._budget.reserve(self._head.bound):
                lane.open -= 1
                if not self._tasks:
                    self._ended.stopped = "budget"
                break
            one, self._head = self._head, None
            self._send(one, lane)
        if self._tasks:
            return self._wait_s()
        if self._halted() or (self._drained and self._head is None and not self._retries):
            return None
        return self._wait_s()

    def _halted(self) -> bool:
        if self._stop.asked and not self._ended.stopped:
            self._ended.stopped = "asked"
        return bool(self._ended.stopped)

    def _wait_s(self) -> float:
        """Until something may have changed by itself."""
        now = time.monotonic()
        waits = [0.0] if self._skipped >= _SKIPPED else [1.0]
        if (rest := self._limiter.wait_s(now)) is not None:
            waits.append(rest)
        if self._retries:
            waits.append(max(0.0, self._retries[0].due - now))
        return min(waits)

    async def _sleep(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        timer.cancel()

    def _next(self, calls: Iterator[Call]) -> _Try | None:
        """The next request that is to be sent; None when there is none now."""
        if self._retries and self._retries[0].due <= time.monotonic():
            return heapq.heappop(self._retries)
        while not self._drained and self._skipped < _SKIPPED:
            call = next(calls, None)
            if call is None:
                self._drained = True
                break
            one = asked(call, self._endpoint.model)
            if one.key not in self._live and self._is_open(one.key):
                self._live.add(one.key)
                self._number += 1
                return _Try(0.0, self._number, one, bound_of(one, self._endpoint))
            self._skipped += 1
        return None

    def _is_open(self, key: str) -> bool:
        """Whether a call has to be sent; counted when it has not."""
        state = self._ledger.state(key)
        if state in BOUGHT:
            self._ended.had += 1
        elif state == "permanent" and not self._again:
            self._ended.failed += 1
        elif state == "batched" and not self._again:
            self._ended.held += 1
        else:
            return True
        return False

    def _send(self, one: _Try, lane: Lane) -> None:
        """Write a request down, then send it."""
        row = self._ledger.begin(one.asked, self._endpoint.model, self._job, lane.url, one.bound)
        self._ended.sent += 1
        task = asyncio.get_running_loop().create_task(self._ask(one, lane, row))
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """A request's task has ended; what went wrong in it (a full disk) ends the run."""
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            self._fault = self._fault or fault
        self._wake.set()

    async def _ask(self, one: _Try, lane: Lane, row: int) -> None:
        sent_at = time.monotonic()
        reply = await _post(self._http[lane.url], self._client, one.asked.call)
        now = time.monotonic()
        charged = charge(reply, one.bound, self._endpoint)
        self._ledger.finish(row, reply, charged, now - sent_at)
        self._budget.settle(one.bound, charged)
        self._limiter.done(lane, _signal(reply), sent_at, now, reply.retry_after_s)
        self._account(one, reply, now)
        if self._watch:
            done = self._ended.had + self._ended.bought
            room = int(sum(lane.room for lane in self._limiter.lanes))
            self._watch(Watch(done, self._budget.spent, room))

    def _account(self, one: _Try, reply: Reply, now: float) -> None:
        """Count an ended request, and plan the next attempt where there is one."""
        if reply.status in BOUGHT:
            self._ended.bought += 1
            return
        self._ended.errors[reply.error] = self._ended.errors.get(reply.error, 0) + 1
        if reply.fatal and not self._ended.stopped:
            self._ended.stopped, self._ended.why = "refused", reply.error
        patience = _DOWN if self._ended.bought else _NEVER_UP
        if self._limiter.down(patience) and not self._ended.stopped:
            self._ended.stopped, self._ended.why = "down", reply.error
        if reply.status == "permanent" or one.attempt >= self._endpoint.attempts:
            self._ended.failed += 1
            return
        backoff = self._endpoint.backoff_s * 2 ** (one.attempt - 1)
        # The jitter is a function of the call, so that two runs of a test wait alike.
        backoff *= 0.5 + derive(one.attempt, one.asked.key) / 2**63
        due = now + max(min(backoff, _LONGEST_BACKOFF_S), reply.retry_after_s or 0.0)
        later = _Try(due, one.number, one.asked, one.bound, one.attempt + 1)
        heapq.heappush(self._retries, later)


def api_key(variable: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key that a variable holds; empty for no variable.

    Raises:
        UserError: the variable is not set.
    """
    key = environment.get(variable, "") if variable else ""
    if variable and not key:
        fix = f"set it (export {variable}=...), or leave api_key_env out"
        raise UserError(Problem("api_key_env", variable, "is not set in the environment", fix))
    return key


def _connect(endpoint: Endpoint, url: str) -> Any:
    """The client of openai for one address."""
    import openai

    # What would tell of this machine, and what the environment may hold for another provider.
    quiet = (
        "Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async",
    )  # fmt: skip
    headers: dict[str, Any] = {f"X-Stainless-{name}": openai.Omit() for name in quiet}
    headers |= {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
    told: dict[str, Any] = {"proxy": endpoint.proxy} if endpoint.proxy else {}
    http = openai.DefaultAsyncHttpxClient(
        trust_env=False, follow_redirects=False, timeout=endpoint.timeout_s, **told
    )
    return openai.AsyncOpenAI(
        base_url=url,
        api_key=endpoint.api_key or "none",
        max_retries=0,
        timeout=endpoint.timeout_s,
        default_headers=headers,
        http_client=http,
    )


async def _post(http: Any, client: Client, call: Call) -> Reply:
    """One request; whatever goes wrong is a reply that says so."""
    import openai

    try:
        # Not `chat.completions.create`: its typed copies of request and reply cost more than our
        # ledger, and what a server adds or leaves out is ours to read.
        tree = await http.post("/chat/completions", cast_to=object, body=client.body(call))
    except openai.APITimeoutError:
        text = f"no answer within {client.endpoint.timeout_s:g} s"
        return Reply("retryable", error=text)
    except openai.APIStatusError as error:
        text = error.response.text
        if client.endpoint.api_key:
            text = text.replace(client.endpoint.api_key, "***")
        found = failure_of(error.status_code, text, error.response.headers.get("retry-after"))
    except openai.APIConnectionError as error:
        text = f"{error.__cause__ or error}"
        found = Reply("retryable", error=f"no connection: {told(text)}", free=_unsent(error))
    except (openai.OpenAIError, ValueError) as error:
        found = Reply("unparsed", error=f"is no completion: {told(str(error))}")
    else:
        found = reply_of(tree)
    return found


def _unsent(error: Exception) -> bool:
    """Whether a failed connection was never made, so that nothing can have been charged."""
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout")


def _signal(reply: Reply) -> Signal:
    if reply.status in BOUGHT or reply.status == "permanent":
        return "ok"
    return "full" if reply.error.startswith("HTTP 429") else "failed"
