"""How many times as many made-up histories are tried as usual; `make test-long` asks for more."""

import os

ROUNDS = int(os.environ.get("WORKLIST_TEST_ROUNDS", "1"))
