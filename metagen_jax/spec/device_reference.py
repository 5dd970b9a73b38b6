"""The page about devices, written from their table so that it cannot go stale.

python -m metagen_jax.spec.device_reference > docs/devices.md
"""

from metagen_jax.spec import units
from metagen_jax.spec.devices import DEVICE_CLASSES, DeviceClass

INTRODUCTION = """\
# Devices

`constraints.device` says what a model is meant to run on. `cpu`, `gpu` and `tpu` name a kind and imply no limit. A class
names a kind and a size: a model may then take as much memory as its row says when it answers
(`constraints.inference_memory`), unless the spec gives another amount itself.

The figures are those of one example device each, peaks from data sheets; no model reaches them. Memory that is shared
with an operating system counts half.
"""


def devices_markdown() -> str:
    """Returns the page: every class with its figures, and where they are from."""
    lines = [INTRODUCTION]
    lines += [
        "| class | kind | memory for a model | float32 | bfloat16 | memory bandwidth | example |",
        "|---" * 7 + "|",
    ]
    lines += [_row(each) for each in DEVICE_CLASSES.values()]
    lines += ["", "## Where the figures are from", ""]
    for each in DEVICE_CLASSES.values():
        links = "; ".join(f"[{title}]({address})" for title, address in each.sources)
        lines.append(f"- `{each.name}`: {each.derivation} {links}.")
    lines += ["", "This page is written by `python -m metagen_jax.spec.device_reference > docs/devices.md`."]
    return "\n".join(lines) + "\n"


def _row(device: DeviceClass) -> str:
    cells = [
        f"`{device.name}`",
        device.kind,
        units.format_bytes(device.memory_bytes),
        f"{_prefixed(device.float32_flops_per_s)}FLOP/s",
        f"{_prefixed(device.bfloat16_flops_per_s)}FLOP/s",
        f"{_prefixed(device.memory_bytes_per_s)}B/s",
        device.example,
    ]
    return f"| {' | '.join(cells)} |"


def _prefixed(rate: float) -> str:
    """Writes a rate with four digits and the prefix of its unit."""
    size, prefix = (1e12, "T") if rate >= 1e12 else (1e9, "G")
    return f"{rate / size:.4g} {prefix}"


if __name__ == "__main__":
    print(devices_markdown(), end="")
