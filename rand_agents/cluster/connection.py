"""A Ray cluster: one that is there, or one of this machine that lasts as long as it is needed."""

import importlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ANSWER_SECONDS = 5.0
"""How long an address may take to answer."""
STORE_BYTES = 2**27
"""Of Ray's object store on this machine: what is sent is small."""
STARTS = 3
"""How often a cluster is started here: Ray gives its processes half a minute to be there, which is
too little on a busy machine."""
SETTINGS = {
    # It would ask, or tell its makers.
    "RAY_USAGE_STATS_ENABLED": "0",
    # For workers, which import all of this.
    "RAY_worker_register_timeout_seconds": "300",
}
"""Of Ray, where the user has set nothing else."""


def ray_module() -> Any:
    """Ray, imported where it is needed: it takes seconds; ValueError where it is not installed."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise ValueError(
            "Ray is not installed here: pip install -c constraints.txt -e '.[cluster]'"
        ) from None


@contextmanager
def connected(address: str | None, cpus: int) -> Iterator[int]:
    """Be connected to a Ray cluster; who already is stays so.

    Args:
        address: HOST:PORT of a cluster, "auto" for the one that runs on this machine, or None for
            a new one here, which ends with the block.
        cpus: Of a new one.

    Yields:
        How many CPUs the cluster has.

    Raises:
        ValueError: Ray is not installed, or there can be no such address.
        ConnectionError: Nobody answers there.
    """
    ray = ray_module()
    is_own = not ray.is_initialized()
    if is_own:
        _connect(ray, address, cpus)
    try:
        yield int(ray.cluster_resources().get("CPU", 0))
    finally:
        if is_own:
            ray.shutdown()


def _connect(ray: Any, address: str | None, cpus: int) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        options |= {"num_cpus": cpus, "object_store_memory": STORE_BYTES}
        options |= {"include_dashboard": False}
    elif address != "auto":
        _check_answer(address)
    # Ray takes the signal for itself, and would end this process without a word.
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        _init(ray, address, options)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)


def _init(ray: Any, address: str | None, options: dict[str, Any]) -> None:
    for left in reversed(range(STARTS if address is None else 1)):
        try:
            ray.init(address or "local", **options)
            return
        # Ray has no class for one that was too slow.
        except Exception as error:
            ray.shutdown()
            if not left:
                where = "here" if address in (None, "auto") else f"at {address}"
                reason = str(error).strip().partition("\n")[0]
                raise ConnectionError(f"no Ray cluster answers {where}: {reason}") from error


def _check_answer(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f'Ray\'s address must be HOST:PORT or "auto", got {address!r}')
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise ConnectionError(f"no Ray cluster answers at {address}: {error}") from None
