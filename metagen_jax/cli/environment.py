"""What has to be settled about the process before JAX computes anything, and what there is to say about the machine."""

import contextlib
import os
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

DEFAULT_HOST_DEVICES = 1
DEVICES, ACCELERATORS = Path("/dev"), ("nvidia[0-9]*", "kfd", "dxg", "accel*")  # where drivers put GPUs and TPUs
MOST_CACHED_BYTES = 2 * 2**30  # compiled programs; those that were not used for longest go first


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_jax(host_devices: int) -> None:
    """Settles how JAX uses the CPU: a fixed number of devices, each of one thread; and that a GPU repeats its results.

    The number is part of the command and not taken from the machine, because XLA compiles for a share of the threads:
    another number changes the last bits of a result. One is the fastest for each process, by a factor of 1.6 over
    eight on two cores, since threads that have nothing to do disturb the others; cores are used by more processes.
    Flags that the user has set in XLA_FLAGS stay and win.

    On a GPU, XLA would choose between kernels by timing them, and another choice changes the last bits too.
    """
    ours = {
        "--xla_force_host_platform_device_count": str(host_devices),
        "--xla_cpu_multi_thread_eigen": "false",
        "--xla_gpu_deterministic_ops": "true",
    }
    theirs = os.environ.get("XLA_FLAGS", "")
    added = [f"{flag}={value}" for flag, value in ours.items() if flag not in theirs]
    if added and "jax" in sys.modules and sys.modules["jax"]._src.xla_bridge.backends_are_initialized():
        raise RuntimeError(f"JAX was started before it could be given {' '.join(added)}; call start_jax first.")
    os.environ["XLA_FLAGS"] = " ".join([theirs, *added]).strip()
    if not _has_accelerator():  # whose programs are compiled by many threads
        os.environ.setdefault("NPROC", "1")  # the threads of XLA's pool, where there are not more devices
    import jax

    # A call on the CPU runs in the thread that makes it: to wake another takes longer than a small network.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def search_on_cpu() -> None:
    """Has JAX run on the CPU whatever is not placed on an accelerator, which networks are and the search is not.

    A search takes many small steps: an accelerator takes longer to be called for one than a CPU to compute it, and every
    backend rounds differently. Starts the backends, so several hosts have to know of each other by now.
    """
    import jax

    if jax.default_backend() != "cpu":
        with contextlib.suppress(RuntimeError):  # the user's JAX_PLATFORMS leaves the CPU out
            jax.config.update("jax_default_device", jax.local_devices(backend="cpu")[0])


def _has_accelerator() -> bool:
    """Whether JAX is about to find one, as far as can be told without starting it."""
    platforms = os.environ.get("JAX_PLATFORMS", "")
    if platforms:
        return platforms.split(",")[0] != "cpu"
    has_driver = any(any(DEVICES.glob(name)) for name in ACCELERATORS)
    return has_driver and bool(entry_points(group="jax_plugins") or find_spec("libtpu"))


def keep_compilations() -> None:
    """Has JAX keep compiled programs among the user's cached files, for the next run; bits do not change.

    Leaves a process alone that has been given a folder, such as by JAX_COMPILATION_CACHE_DIR; the environment variable
    JAX_ENABLE_COMPILATION_CACHE=false switches the cache off.
    """
    import jax
    import platformdirs

    if jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        jax.config.update("jax_compilation_cache_dir", str(Path(platformdirs.user_cache_dir("metagen_jax")) / "xla"))
        jax.config.update("jax_compilation_cache_max_size", MOST_CACHED_BYTES)


def free_memory_bytes() -> int | None:
    """Memory that the machine could still give, or None where the system does not tell."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return None
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
