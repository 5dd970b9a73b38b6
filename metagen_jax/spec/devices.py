"""The devices that a spec may name: three kinds, and classes of one of them with the figures of an example device.

All figures are peaks of data sheets, for dense products; nothing is measured here.
"""

from dataclasses import dataclass

KINDS = ("cpu", "gpu", "tpu")
SHARED = 0.5  # what an operating system and other programs leave to a model


@dataclass(frozen=True)
class DeviceClass:
    """A class of devices, with the figures of one of them.

    Attributes:
      name: as `constraints.device` has it.
      kind: "cpu", "gpu" or "tpu".
      memory_bytes: what a model may take there: all memory of an accelerator or a microcontroller, half of what is shared
        with an operating system.
      float32_flops_per_s, bfloat16_flops_per_s: peak; a multiply and an add are two.
      memory_bytes_per_s: peak between the processor and the memory that the weights are in.
      example: the device that the figures are of.
      derivation: how they follow from the sources.
      sources: title and address of each.
    """

    name: str
    kind: str
    memory_bytes: int
    float32_flops_per_s: float
    bfloat16_flops_per_s: float
    memory_bytes_per_s: float
    example: str
    derivation: str
    sources: tuple[tuple[str, str], ...]


_CLASSES = (
    DeviceClass(
        name="microcontroller",
        kind="cpu",
        memory_bytes=2**20,
        float32_flops_per_s=2 * 480e6,
        bfloat16_flops_per_s=2 * 480e6,
        memory_bytes_per_s=8 * 240e6,
        example="STM32H743, Arm Cortex-M7 at 480 MHz",
        derivation="1 MiB of RAM, weights included; weights that stay in flash may be more than that. One fused multiply-add "
        "a cycle; no bfloat16 instructions, so float32's figure stands for both. A 64-bit AXI bus at 240 MHz.",
        sources=(
            ("STMicroelectronics, DS12110: STM32H743xI", "https://www.st.com/resource/en/datasheet/stm32h743bi.pdf"),
            (
                "LLVM, scheduling model of the Cortex-M7: one floating-point pipe",
                "https://github.com/llvm/llvm-project/blob/main/llvm/lib/Target/ARM/ARMScheduleM7.td",
            ),
        ),
    ),
    DeviceClass(
        name="edge",
        kind="cpu",
        memory_bytes=int(8e9 * SHARED),
        float32_flops_per_s=4 * 2 * 4 * 2 * 2.4e9,
        bfloat16_flops_per_s=4 * 2 * 4 * 2 * 2.4e9,
        memory_bytes_per_s=4 * 4267e6,
        example="Raspberry Pi 5 with 8 GB, four Arm Cortex-A76 at 2.4 GHz",
        derivation="Half of 8 GB. Four cores with two 128-bit multiply-add pipes each; no bfloat16 instructions, so float32's "
        "figure stands for both. 32 bits of LPDDR4X at 4267 MT/s.",
        sources=(
            (
                "Raspberry Pi 5 product brief",
                "https://datasheets.raspberrypi.com/rpi5/raspberry-pi-5-product-brief.pdf",
            ),
            (
                "Arm, Cortex-A76 Software Optimization Guide, PJDOC-466751330-7215",
                "https://developer.arm.com/documentation",
            ),
        ),
    ),
    DeviceClass(
        name="phone",
        kind="cpu",
        memory_bytes=int(8e9 * SHARED),
        float32_flops_per_s=(4 * 3.3e9 + 3 * 2 * 3.2e9 + 2 * 2 * 3.0e9) * 4 * 2,
        bfloat16_flops_per_s=2 * (4 * 3.3e9 + 3 * 2 * 3.2e9 + 2 * 2 * 3.0e9) * 4 * 2,
        memory_bytes_per_s=8 * 9600e6,
        example="Snapdragon 8 Gen 3 with 8 GB, its six large cores",
        derivation="Half of 8 GB. One Cortex-X4 at 3.3 GHz with four 128-bit multiply-add pipes, three and two Cortex-A720 at "
        "3.2 and 3.0 GHz with two; BFDOT does twice as much as a float32 multiply-add. 64 bits of LPDDR5X at 9600 MT/s.",
        sources=(
            (
                "Qualcomm, Snapdragon 8 Gen 3 Mobile Platform",
                "https://www.qualcomm.com/products/mobile/snapdragon/smartphones/snapdragon-8-series-mobile-platforms/"
                "snapdragon-8-gen-3-mobile-platform",
            ),
            (
                "Arm, Cortex-X4 and Cortex-A720 Software Optimization Guides",
                "https://developer.arm.com/documentation",
            ),
        ),
    ),
    DeviceClass(
        name="laptop_cpu",
        kind="cpu",
        memory_bytes=int(16e9 * SHARED),
        float32_flops_per_s=8 * 2 * 8 * 2 * 3.3e9,
        bfloat16_flops_per_s=2 * 8 * 2 * 8 * 2 * 3.3e9,
        memory_bytes_per_s=16 * 5600e6,
        example="AMD Ryzen 7 7840U with 16 GB, eight cores at 3.3 GHz",
        derivation="Half of 16 GB. Eight cores at their base clock with two 256-bit multiply-add pipes each; VDPBF16PS does "
        "twice as much as a float32 multiply-add. 128 bits of DDR5 at 5600 MT/s.",
        sources=(
            (
                "AMD Ryzen 7 7840U",
                "https://www.amd.com/en/products/processors/laptop/ryzen/7000-series/amd-ryzen-7-7840u.html",
            ),
            ("AMD, Software Optimization Guide for the Zen 4 Microarchitecture, 57647", "https://docs.amd.com"),
        ),
    ),
    DeviceClass(
        name="consumer_gpu",
        kind="gpu",
        memory_bytes=24 * 10**9,
        float32_flops_per_s=82.6e12,
        bfloat16_flops_per_s=165.2e12,
        memory_bytes_per_s=1008e9,
        example="NVIDIA GeForce RTX 4090 with 24 GB",
        derivation="bfloat16 on tensor cores, summed in float32, without sparsity.",
        sources=(
            (
                "NVIDIA Ada GPU Architecture, appendix A",
                "https://images.nvidia.com/aem-dam/Solutions/geforce/ada/nvidia-ada-gpu-architecture.pdf",
            ),
        ),
    ),
    DeviceClass(
        name="datacenter_gpu",
        kind="gpu",
        memory_bytes=80 * 10**9,
        float32_flops_per_s=67e12,
        bfloat16_flops_per_s=989.5e12,
        memory_bytes_per_s=3.35e12,
        example="NVIDIA H100 SXM with 80 GB",
        derivation="bfloat16 on tensor cores without sparsity: half of the 1,979 TFLOP/s that the data sheet gives with it.",
        sources=(
            (
                "NVIDIA H100 Tensor Core GPU data sheet",
                "https://resources.nvidia.com/en-us-tensor-core/nvidia-tensor-core-gpu-datasheet",
            ),
        ),
    ),
    DeviceClass(
        name="tpu_core",
        kind="tpu",
        memory_bytes=16 * 10**9,
        float32_flops_per_s=197e12 / 6,
        bfloat16_flops_per_s=197e12,
        memory_bytes_per_s=819e9,
        example="Cloud TPU v5e, one chip with its one TensorCore",
        derivation="A product in full float32 takes six passes in bfloat16; JAX's default on a TPU is one.",
        sources=(
            ("Google Cloud, TPU v5e", "https://cloud.google.com/tpu/docs/v5e"),
            ("JAX, Matmul precision", "https://docs.jax.dev/en/latest/201/precision.html"),
        ),
    ),
)
DEVICE_CLASSES = {each.name: each for each in _CLASSES}
DEVICES = (*KINDS, *DEVICE_CLASSES)
"""Every word that `constraints.device` takes."""


def kind_of(device: str) -> str:
    """Returns the kind of a device, given its class or already its kind.

    Examples:
      >>> kind_of("edge"), kind_of("tpu")
      ('cpu', 'tpu')
    """
    return DEVICE_CLASSES[device].kind if device in DEVICE_CLASSES else device


def memory_of(device: str) -> int | None:
    """Returns the bytes that a model may take on a device, or None for a mere kind, which implies nothing.

    Examples:
      >>> memory_of("consumer_gpu"), memory_of("gpu")
      (24000000000, None)
    """
    return DEVICE_CLASSES[device].memory_bytes if device in DEVICE_CLASSES else None
