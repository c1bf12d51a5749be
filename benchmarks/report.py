"""How a benchmark tells what it found: a table for people, one line of JSON for machines."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence

from pipeline.terminal import table


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return (
        f"{platform.system()} {platform.machine()}, {cores} cores, Python {sys.version.split()[0]}"
    )


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def tell(
    title: str, rows: Sequence[Mapping[str, object]], figures: Mapping[str, float | None]
) -> None:
    print(f"{title}\n{machine()}\n")
    print(table(rows, list(rows[0])))
    print()
    print(json.dumps(figures))
