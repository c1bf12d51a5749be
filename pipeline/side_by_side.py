"""Several jobs at once, each on a thread of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.errors import WorklistError

Result = TypeVar("Result")


def side_by_side(
    jobs: Sequence[Callable[[], Result]], stop: threading.Event, say: Callable[[str], None]
) -> list[Result]:
    """What each job returned. One that fails is said at once and does not hold up the others; the
    first error is raised when all have ended.

    `stop` is set when the caller is interrupted; then nobody waits for jobs that hang.
    """
    results: dict[int, Result] = {}
    errors: list[Exception] = []

    def run(number: int, job: Callable[[], Result]) -> None:
        try:
            results[number] = job()
        except Exception as error:
            if len(jobs) > 1 and isinstance(error, WorklistError) and not stop.is_set():
                say(str(error))
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(number, job), daemon=True)
        for number, job in enumerate(jobs)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(jobs))]
