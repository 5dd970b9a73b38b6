"""The table of devices is sound."""

import itertools

import pytest

from metagen_jax.spec.devices import DEVICE_CLASSES, KINDS, DeviceClass


@pytest.mark.parametrize("device", DEVICE_CLASSES.values(), ids=lambda device: device.name)
def test_a_class_has_a_kind_plausible_figures_and_a_source(device: DeviceClass):
    assert device.kind in KINDS
    assert 2**20 <= device.memory_bytes <= 10**12
    assert device.bfloat16_flops_per_s >= device.float32_flops_per_s
    assert 0.1 < device.float32_flops_per_s / device.memory_bytes_per_s < 100  # FLOPs that go with a byte
    assert all(title and address.startswith("https://") for title, address in device.sources)


def test_classes_from_small_to_large_are_so_in_memory_and_arithmetic():
    order = ("microcontroller", "edge", "laptop_cpu", "consumer_gpu", "datacenter_gpu")
    classes = [DEVICE_CLASSES[name] for name in order]
    for smaller, larger in itertools.pairwise(classes):
        assert smaller.memory_bytes < larger.memory_bytes
        assert smaller.bfloat16_flops_per_s < larger.bfloat16_flops_per_s
