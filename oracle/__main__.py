"""`make oracle [CASES=FILE]`: the CHT's recorded answers against ours.

Prints every row in which we deviate, with the reason, and every disagreement; the last line
counts. Exits 1 if anything disagrees.
"""

import sys
from collections import Counter
from pathlib import Path

from oracle.comparison import Verdict, compare
from oracle.derived_tasks import answers
from oracle.recorded_cases import read
from oracle.temporary_database import temporary_database

RECORDED = Path(__file__).parents[1] / "tests" / "data" / "task-oracle" / "cases.jsonl.gz"


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else RECORDED
    cases = list(read(path))
    verdicts = []
    with temporary_database() as database:
        for case, ours in answers(database, cases, _say):
            for verdict in compare(case, ours):
                verdicts.append(verdict)
                if not verdict.agrees:
                    print(_line(verdict))
    print(_counts(len(cases), verdicts))
    return 1 if any(verdict.disagreement for verdict in verdicts) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _line(verdict: Verdict) -> str:
    if verdict.disagreement:
        return f"DISAGREES {verdict.case} {verdict.emission}: {verdict.disagreement}"
    reasons = "; ".join(reason.value for reason in verdict.reasons)
    return f"deviates {verdict.case} {verdict.emission}: {reasons}"


def _counts(cases: int, verdicts: list[Verdict]) -> str:
    """A row that deviates by several reasons counts under the first."""
    labels = Counter(
        verdict.reasons[0].label
        for verdict in verdicts
        if verdict.reasons and not verdict.disagreement
    )
    by_reason = ", ".join(f"{label}: {count}" for label, count in sorted(labels.items()))
    return (
        f"{cases} cases, {len(verdicts)} rows: agree {sum(one.agrees for one in verdicts)}, "
        f"deviate {labels.total()}{by_reason and f' ({by_reason})'}, "
        f"disagree {sum(bool(one.disagreement) for one in verdicts)}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
