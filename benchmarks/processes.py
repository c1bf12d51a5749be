"""A leg of a benchmark in a process of its own, so that legs share no memory and no warm caches."""

import multiprocessing
from collections.abc import Callable
from typing import Any


def measured_apart(run: Callable[..., None], name: str, *arguments: Any) -> Any:
    """What `run` sends through the connection that it is given first."""
    processes = multiprocessing.get_context("spawn")
    hearing, said = processes.Pipe(duplex=False)
    process = processes.Process(target=run, args=(said, name, *arguments))
    process.start()
    said.close()  # so that reading ends when the process does
    try:
        found = hearing.recv()
    except EOFError:
        found = None
    process.join()
    if process.exitcode or found is None:
        raise SystemExit(f"{name} failed")
    return found
