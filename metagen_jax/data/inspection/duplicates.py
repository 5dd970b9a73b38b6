"""What the same example in several places does to a result."""

from collections.abc import Iterable
from typing import NamedTuple


class Example(NamedTuple):
    """What is called so, where it belongs, and what tells its content from others'."""

    name: str
    split: str
    label: str
    digest: str


def duplicates(examples: Iterable[Example], one: str, many: str) -> list[str]:
    """Remarks on equal examples in two classes or two splits, and on others that are equal.

    Args:
      one, many: what an example and several of them are called.
    """
    first: dict[str, Example] = {}
    repeated, contradictions, leaks = 0, [], []
    for example in examples:
        known = first.setdefault(example.digest, example)
        if known is example:
            continue
        repeated += 1
        pair = f"{known.name} and {example.name}"
        if known.label != example.label:
            contradictions.append(pair)
        if known.split != example.split:
            leaks.append(pair)
    remarks = []
    if contradictions:
        remarks.append(f"the same {one} in two classes: {len(contradictions)} times, such as {contradictions[0]}")
    if leaks:
        told = f"the same {one} in two splits: {len(leaks)} times, such as {leaks[0]}"
        remarks.append(f"{told}; results on the test would look better than they are")
    others = repeated - len(set(contradictions) | set(leaks))
    if others > 0:
        remarks.append(f"{others} {many} are there more than once; copies may end up in training and test")
    return remarks
