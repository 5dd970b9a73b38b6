"""What the words of a spec have come to, in numbers, for the person who wrote them."""

from metagen_jax.spec import units
from metagen_jax.spec.model_spec import ModelSpec


def limits_line(spec: ModelSpec) -> str:
    """Returns the limits of a spec and its device as plain numbers, on one line."""
    limits = spec.constraints
    found = []
    if limits.min_params:
        found.append(f"at least {_exact(limits.min_params, 'parameters', units.format_count(limits.min_params))}")
    if limits.max_params is not None:
        found.append(f"at most {_exact(limits.max_params, 'parameters', units.format_count(limits.max_params))}")
    if limits.memory_bytes is not None:
        found.append(f"training in at most {_bytes(limits.memory_bytes)}")
    if limits.inference_memory_bytes is not None:
        found.append(f"answering in at most {_bytes(limits.inference_memory_bytes)}")
    if limits.latency_ms is not None:
        found.append(f"latency at most {limits.latency_ms:.4g} ms")
    if limits.throughput_per_s is not None:
        found.append(f"at least {limits.throughput_per_s:,.4g} inputs a second")
    if limits.context_window is not None:
        found.append(f"context of {limits.context_window:,} tokens")
    kind = "" if limits.device == limits.device_kind else f" ({limits.device_kind})"
    return f"{'; '.join(found) or 'none'}; on {limits.device}{kind}"


def target_line(spec: ModelSpec) -> str | None:
    """Returns what the model is built for on one line, or None where it is the data as it is."""
    target = [f"{name} {value:,}" for name, value in vars(spec.target).items() if value is not None]
    return ", ".join(target) or None


def _bytes(count: int) -> str:
    return _exact(count, "bytes", units.format_bytes(count))


def _exact(count: int, what: str, short: str) -> str:
    """The number in full, and in its unit where that is shorter."""
    return f"{count:,} {what}" + (f" ({short})" if len(short) < len(str(count)) else "")
