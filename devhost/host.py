"""The host, from top to bottom: settings, functions, doors, ready, stop."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devhost import ncrontab, ready, worker
from devhost.http import LOOPBACK, HttpDoor, HttpServer, listen
from devhost.queues import QueueListener
from devhost.settings import (
    DEFAULT_PORT,
    HostOptions,
    apply_values,
    connection_string,
    load_host_options,
    load_local_settings,
    process_environment,
    resolve,
)
from devhost.timers import Timer
from devhost.worker import Function, QueueTrigger, TimerTrigger, Worker

logger = logging.getLogger("devhost")

_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
# What these log at less than a warning is about themselves.
_NOISY: Final = ("azure", "uvicorn", "asyncio", "aiohttp", "httpx", "httpcore")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line. Times are seconds; `port` None leaves it to local.settings.json."""

    app: Path
    settings: Path | None = None
    host: str = LOOPBACK
    port: int | None = None
    timers: bool = True
    ready_file: Path | None = None
    grace: float = 10.0
    lease: float = 600.0


def run(options: Options) -> int:
    """Run a function app until a signal says stop; returns the exit code.

    Raises:
        DevhostError: it cannot start as asked.
    """
    app = options.app.resolve()
    local = load_local_settings(
        options.settings or app / "local.settings.json", required=options.settings is not None
    )
    environment = process_environment()
    apply_values(local.values, environment)
    host = load_host_options(app / "host.json", environment)
    _set_up_logging(host.log_level)
    listener = listen(options.host, _port(options.port, local.port))
    _present_as_core_tools(environment, app, listener)
    ready_file = ready.ReadyFile(options.ready_file)
    functions = [_resolved(function, environment) for function in worker.load(app)]
    try:
        finished = asyncio.run(_serve(options, host, functions, listener, ready_file))
    finally:
        ready_file.remove()
    if not finished:
        _cut_short()
    return 0


async def _serve(
    options: Options,
    host: HostOptions,
    functions: list[Function],
    listener: socket.socket,
    ready_file: ready.ReadyFile,
) -> bool:
    """Open the doors, wait for the signal, close them; False when something was still running at the end."""
    stop = _stop_on_signals()
    invoker = Worker(host.function_timeout)
    timers = _timers(invoker, functions)
    queues = _queues(invoker, functions, host, options.lease)
    door = HttpDoor(
        invoker, functions, host.route_prefix, {timer.function.name: timer.fire for timer in timers}
    )
    port = _port_of(listener)
    server = HttpServer(
        door, listener, options.grace, lambda: ready_file.announce(port, functions, host.route_prefix)
    )
    doors = [asyncio.create_task(server.run_until(stop))]
    doors += [asyncio.create_task(queue.run(stop)) for queue in queues]
    if options.timers:
        doors += [asyncio.create_task(timer.run(stop)) for timer in timers]
    await _until_stopped(doors, stop)
    finished = await _finish([*doors, asyncio.create_task(door.drain())], options.grace)
    return finished and not invoker.abandoned


async def _until_stopped(doors: list[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait for the signal. A door that ends before it has a defect, which ends the host and is shown."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*doors, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stopping not in done:
        stopping.cancel()
        stop.set()
        for door in done:
            door.result()


async def _finish(doors: list[asyncio.Task[None]], grace: float) -> bool:
    """Give what is running its time, then give it up; says whether all of it finished."""
    logger.info("stopping: what is running has %g s to finish", grace)
    _, late = await asyncio.wait(doors, timeout=grace)
    for task in late:
        task.cancel()
    if late:
        logger.warning("stopped while functions were still running after %g s", grace)
    return not late


def _cut_short() -> None:
    """End the process now: a synchronous function cannot be interrupted, and Python would wait for it."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _resolved(function: Function, environment: Mapping[str, str]) -> Function:
    """The function with the app settings its trigger refers to (`%NAME%`) filled in."""
    trigger = function.trigger
    if isinstance(trigger, TimerTrigger):
        return replace(function, trigger=replace(trigger, schedule=resolve(trigger.schedule, environment)))
    if isinstance(trigger, QueueTrigger):
        queue = resolve(trigger.queue, environment)
        connection = resolve(trigger.connection, environment)
        return replace(function, trigger=QueueTrigger(queue, connection))
    return function


def _timers(invoker: Worker, functions: list[Function]) -> list[Timer]:
    return [
        Timer(
            invoker,
            function,
            ncrontab.parse(function.trigger.schedule),
            at_startup=function.trigger.run_on_startup,
        )
        for function in functions
        if isinstance(function.trigger, TimerTrigger)
    ]


def _queues(
    invoker: Worker, functions: list[Function], host: HostOptions, lease: float
) -> list[QueueListener]:
    environment = process_environment()
    options = replace(host.queues, lease=lease)
    return [
        QueueListener(
            invoker,
            function,
            function.trigger.queue,
            connection_string(function.trigger.connection, environment),
            options,
        )
        for function in functions
        if isinstance(function.trigger, QueueTrigger)
    ]


def _stop_on_signals() -> asyncio.Event:
    """An event set by the first SIGINT or SIGTERM; the second ends the process at once."""
    stop = asyncio.Event()

    def received(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, received, number)
    return stop


def _set_up_logging(level: str) -> None:
    """The app's log goes to stderr; libraries are heard from warnings on, the worker library not at all."""
    logging.basicConfig(
        stream=sys.stderr,
        level=_LEVELS.get(level.lower(), logging.INFO),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Failures are logged once, with the function's name, by worker.py.
    logging.getLogger("azure.functions").setLevel(logging.CRITICAL + 1)


def _present_as_core_tools(environment: MutableMapping[str, str], app: Path, listener: socket.socket) -> None:
    """The settings Core Tools adds by itself."""
    apply_values(
        {
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "AzureWebJobsScriptRoot": str(app),
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "WEBSITE_HOSTNAME": f"localhost:{_port_of(listener)}",
        },
        environment,
    )


def _port(asked: int | None, configured: int | None) -> int:
    return next((port for port in (asked, configured) if port is not None), DEFAULT_PORT)


def _port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
