"""What `local.settings.json`, `host.json` and the environment say, read the way Core Tools reads them."""

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from devhost.errors import DevhostError

DEFAULT_PORT: Final = 7071
DEFAULT_FUNCTION_TIMEOUT: Final = 30 * 60.0

# Microsoft publishes this account and key for its emulators; it opens nothing but an emulator on loopback.
DEVELOPMENT_ACCOUNT: Final = "devstoreaccount1"
DEVELOPMENT_KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
DEVELOPMENT_QUEUE_PORT: Final = 10001

# Environment names that stand for a path in host.json, as in the cloud: AzureFunctionsJobHost__a__b=value.
_OVERRIDE_PREFIX: Final = "AzureFunctionsJobHost__"
_PLACEHOLDER: Final = re.compile(r"%([^%\s]+)%")
_TIME_SPAN: Final = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The parts of `local.settings.json` that matter here."""

    values: Mapping[str, str]
    port: int | None = None


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """`extensions.queues` of host.json, with the host's defaults. Times are seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    visibility_timeout: float = 0.0
    # The cloud's default is one minute; a host in development polls every two seconds.
    max_polling_interval: float = 2.0
    max_dequeue_count: int = 5
    base64: bool = True
    # How long a fetched message stays hidden from others; renewed at half-time while its function runs.
    lease: float = 600.0


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What host.json decides. `function_timeout` is in seconds, None means unlimited."""

    route_prefix: str = "api"
    queues: QueueOptions = QueueOptions()
    function_timeout: float | None = DEFAULT_FUNCTION_TIMEOUT
    log_level: str = "Information"


def load_local_settings(path: Path, *, required: bool = False) -> LocalSettings:
    """Read `local.settings.json`; a missing file is an empty one unless it is required.

    Raises:
        DevhostError: the file is missing though required, is not JSON, or is encrypted.
    """
    if not path.exists() and not required:
        return LocalSettings({})
    document = _read_json(path)
    if document.get("IsEncrypted"):
        raise DevhostError(f"{path.name} is encrypted: only Core Tools can read it (func settings decrypt)")
    port = document.get("Host", {}).get("LocalHttpPort")
    return LocalSettings(_texts(path, document.get("Values", {})), int(port) if port is not None else None)


def apply_values(values: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Add settings to the environment; what is set already wins."""
    for name, value in values.items():
        environment.setdefault(name, value)


def load_host_options(path: Path, environment: Mapping[str, str]) -> HostOptions:
    """Read host.json and the environment's overrides of it.

    Raises:
        DevhostError: a value cannot be understood; the message names it and the valid values.
    """
    document = _read_json(path) if path.exists() else {}
    _override(document, environment)
    extensions = document.get("extensions", {})
    return HostOptions(
        route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
        queues=_queue_options(extensions.get("queues", {})),
        function_timeout=_function_timeout(document.get("functionTimeout")),
        log_level=_default_log_level(document.get("logging", {}).get("logLevel", {})),
    )


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """Replace every `%NAME%` by the setting of that name.

    Raises:
        DevhostError: there is no such setting.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise DevhostError(f"{text!r} refers to the app setting {name}, which is not set")
        return environment[name]

    return _PLACEHOLDER.sub(value, text)


def connection_string(name: str, environment: Mapping[str, str]) -> str:
    """The storage connection string a trigger's `connection` names.

    Raises:
        DevhostError: there is no such setting.
    """
    name = name or "AzureWebJobsStorage"
    value = environment.get(f"AzureWebJobs{name}") or environment.get(name)
    if not value:
        raise DevhostError(f"the app setting {name} is not set: it holds the storage connection string")
    if value.strip().rstrip(";").lower() == "usedevelopmentstorage=true":
        return development_connection_string(DEVELOPMENT_QUEUE_PORT)
    return value


def development_connection_string(port: int) -> str:
    """The connection string of an emulated queue service on a loopback port."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={DEVELOPMENT_ACCOUNT};AccountKey={DEVELOPMENT_KEY};"
        f"QueueEndpoint=http://127.0.0.1:{port}/{DEVELOPMENT_ACCOUNT};"
    )


def seconds(name: str, value: object) -> float:
    """Seconds of a .NET time span `[d.]hh:mm:ss[.fff]`.

    Raises:
        DevhostError: it is written otherwise.
    """
    match = _TIME_SPAN.fullmatch(str(value))
    if match is None:
        raise DevhostError(f'host.json: {name} is {value!r}; write it as "hh:mm:ss" or "d.hh:mm:ss"')
    days, hours, minutes, rest = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DevhostError(f"{path} does not exist") from None
    except json.JSONDecodeError as error:
        raise DevhostError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise DevhostError(f"{path} must hold a JSON object")
    return document


def _texts(path: Path, values: Mapping[str, Any]) -> dict[str, str]:
    for name, value in values.items():
        if not isinstance(value, str):
            raise DevhostError(f"{path.name}: the value of {name} must be a text, in quotes")
    return dict(values)


def _override(document: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if name.startswith(_OVERRIDE_PREFIX):
            *parents, leaf = name.removeprefix(_OVERRIDE_PREFIX).split("__")
            node = document
            for parent in parents:
                node = node.setdefault(parent, {})
            node[leaf] = value


def _queue_options(section: Mapping[str, Any]) -> QueueOptions:
    default = QueueOptions()
    batch_size = _integer("batchSize", section.get("batchSize", default.batch_size), 1, 32)
    threshold = _integer("newBatchThreshold", section.get("newBatchThreshold", batch_size // 2), 0, None)
    dequeues = _integer("maxDequeueCount", section.get("maxDequeueCount", default.max_dequeue_count), 1, None)
    options = replace(
        default, batch_size=batch_size, new_batch_threshold=threshold, max_dequeue_count=dequeues
    )
    if "visibilityTimeout" in section:
        visibility = seconds("visibilityTimeout", section["visibilityTimeout"])
        options = replace(options, visibility_timeout=visibility)
    if "maxPollingInterval" in section:
        interval = seconds("maxPollingInterval", section["maxPollingInterval"])
        options = replace(options, max_polling_interval=max(0.1, interval))
    return replace(options, base64=_is_base64(section.get("messageEncoding", "base64")))


def _integer(name: str, value: object, low: int, high: int | None) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = low - 1
    if number < low or (high is not None and number > high):
        limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise DevhostError(f"host.json: {name} is {value!r}; it must be a whole number {limits}")
    return number


def _is_base64(value: object) -> bool:
    encodings = {"base64": True, "none": False}
    try:
        return encodings[str(value).lower()]
    except KeyError:
        raise DevhostError(f"host.json: messageEncoding is {value!r}; valid: base64, none") from None


def _function_timeout(value: object) -> float | None:
    if value is None:
        return DEFAULT_FUNCTION_TIMEOUT
    return None if value == "-1" else seconds("functionTimeout", value)


def _default_log_level(levels: Mapping[str, Any]) -> str:
    return str(levels.get("default", "Information"))


def process_environment() -> MutableMapping[str, str]:
    """The environment the function app will see."""
    return os.environ
