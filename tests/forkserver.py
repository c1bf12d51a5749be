"""Processes of the tests, forked from one that has imported everything already."""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.conftest", "pipeline.cli"])
