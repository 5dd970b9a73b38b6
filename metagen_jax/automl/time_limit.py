"""A limit on time, which the search keeps by predictions, is checked by measurement before finalists are trained."""

from collections.abc import Callable, Mapping, Sequence

from metagen_jax.automl.candidate import Candidate
from metagen_jax.automl.latency import Timing
from metagen_jax.errors import RunError

Measure = Callable[[Sequence[Candidate]], Mapping[int, Timing]]  # candidates to what each takes, by their numbers


def keep_within(
    candidates: Sequence[Candidate],
    wanted: Callable[[list[Candidate]], Sequence[Candidate]],
    measure: Measure,
    longest_ms: float,
    note: Callable[[str], None],
) -> tuple[list[Candidate], list[Candidate]]:
    """Leaves out candidates that take too long, until all that are wanted of the rest have been measured and do not.

    One that leaves the front may let others onto it, so there may be several rounds.

    Args:
      candidates: of which the predictions are within the limit.
      wanted: of the candidates that are left, those that have to be measured.
      measure: called once for each candidate at most.
      longest_ms: that one answer may take.
      note: told who leaves.
    Returns:
      The candidates that are left, and those that are not.
    Raises:
      RunError: none is left.
    """
    left, out, known = list(candidates), list[Candidate](), dict[int, Timing]()
    asked = wanted(left)
    while new := [candidate for candidate in asked if candidate.number not in known]:
        known |= measure(new)
        for candidate in new:
            if known[candidate.number].median_ms > longest_ms:
                out.append(candidate)
                note(
                    f"candidate {candidate.number} is out: it takes {known[candidate.number].written}, "
                    f"predicted {candidate.costs['latency_ms']:.3g} ms; the limit is {longest_ms:.3g} ms"
                )
        gone = {candidate.number for candidate in out}
        left = [candidate for candidate in candidates if candidate.number not in gone]
        asked = wanted(left) if left else []
    if out and not asked:
        raise _none_left(out, known, longest_ms)
    return left, out


def _none_left(out: Sequence[Candidate], known: Mapping[int, Timing], longest_ms: float) -> RunError:
    fastest = min(out, key=lambda candidate: known[candidate.number].median_ms)
    return RunError(
        f"no candidate keeps the limit on time when it is measured: the fastest of {len(out)}, candidate "
        f"{fastest.number}, takes {known[fastest.number].median_ms:.3g} ms (predicted "
        f"{fastest.costs['latency_ms']:.3g} ms), the limit is {longest_ms:.3g} ms\n"
        "  Raise constraints.latency or lower constraints.throughput, allow smaller networks in architecture.choices, or"
        " fit the predictions to this machine with `metagen calibrate --only latency`."
    )
