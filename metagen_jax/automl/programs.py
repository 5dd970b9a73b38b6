"""The programs of a process: each built once, and a smaller one where the memory of a device does not suffice."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import jax

from metagen_jax.population.devices import population_mesh
from metagen_jax.population.plan import ProgramPlan
from metagen_jax.population.program import Program
from metagen_jax.population.weights import Structure

# Held at once by a process. Each takes up to a thousand of the 65,530 memory maps that Linux grants a process by default,
# and XLA does not survive running out of them.
MOST_PROGRAMS = 32


class Programs:
    """Builds what a plan asks for; of more than `MOST_PROGRAMS`, those that were not asked for the longest are let go of.

    Args:
      mesh: the devices.
      note: told of every compilation and of every chunk that did not fit.
    """

    def __init__(self, mesh: jax.sharding.Mesh, note: Callable[[str], None]):
        self._mesh, self._note = mesh, note
        self._built: dict[ProgramPlan, Program] = {}
        self._compiling: dict[ProgramPlan, Future[None]] = {}
        self._pool = ThreadPoolExecutor(os.cpu_count())  # a compilation keeps one core busy
        self._capacity: dict[ProgramPlan, tuple[int, int]] = {}  # width, devices

    def begin(self, planned: ProgramPlan, structure: Callable[[], Structure], work: Callable[[Program], None]) -> None:
        """Does `work`, which compiles a program, in the background."""
        if planned not in self._compiling:
            self._compiling[planned] = self._pool.submit(work, self.get(planned, structure))

    def wait(self, planned: ProgramPlan) -> None:
        """Returns when a program has been compiled; raises whatever its compilation raised."""
        self._compiling[planned].result()

    def get(self, planned: ProgramPlan, structure: Callable[[], Structure]) -> Program:
        """The program, as large as planned or as memory was found to allow."""
        if planned in self._built:
            self._built[planned] = self._built.pop(planned)  # the last one of all, now
        else:
            while len(self._built) >= MOST_PROGRAMS:
                self._let_go(next(iter(self._built)))
            sizes = ", ".join(f"{axis} {length}" for axis, length in planned.allocated.items())
            self._note(f"compiling a program that holds {sizes}; this takes some seconds")
            width, num_devices = self._capacity.get(planned, (planned.width, self._mesh.size))
            mesh = self._mesh if num_devices == self._mesh.size else population_mesh(num_devices)
            self._built[planned] = Program(structure(), planned.allocated, width, mesh, planned.mode)
        return self._built[planned]

    def shrink(self, planned: ProgramPlan) -> int:
        """Halves the chunk of a program that ran out of memory, then its devices.

        Returns how many candidates a chunk may have from now on; 0 where one slot is all that it has.
        """
        width, num_devices = self._capacity.get(planned, (planned.width, self._mesh.size))
        if (width, num_devices) == (1, 1):
            return 0
        smaller = (width // 2, num_devices) if width > 1 else (1, num_devices // 2)
        self._capacity[planned] = smaller
        self._let_go(planned)
        self._note(f"out of memory: chunks of {smaller[0]} on {smaller[1]} device(s) from here on")
        return smaller[0] * smaller[1]

    def _let_go(self, planned: ProgramPlan) -> None:
        self._built.pop(planned).let_go()
        self._compiling.pop(planned, None)


def ran_out_of_memory(error: Exception) -> bool:
    """Whether XLA could not get the memory that a program needs."""
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")
    )
