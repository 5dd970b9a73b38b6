"""(e) `torch.func` ensembles: candidates of equal shape are stacked and trained together under `vmap`.

A candidate whose shape no other has is trained as in (c). Nothing is compiled, so one training stands for cold and warm.
"""

import time

import candidate_set
import measurement
import numpy as np
import torch
import torch_models
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel


def train(chosen: candidate_set.CandidateSet, device: str) -> measurement.Measured:
    groups: dict[tuple, list[int]] = {}
    for index, member in enumerate(chosen.members):
        groups.setdefault(member.shape, []).append(index)
    losses: list = [None] * len(chosen.members)
    first = torch_models.build(chosen, chosen.members[0]).to(
        device
    )  # takes a step, so that nothing is left to start up
    torch_models.train(first, chosen.members[0], torch_models.batches(chosen, device)[:1], chosen.num_steps)
    started = time.perf_counter()
    tensors = torch_models.batches(chosen, device)
    for group in groups.values():
        members = [chosen.members[index] for index in group]
        models = [torch_models.build(chosen, member).to(device) for member in members]
        if len(group) == 1:
            own = torch_models.train(models[0], members[0], tensors, chosen.num_steps)[None]
        else:
            with sdpa_kernel(SDPBackend.MATH):  # the fused one has no batching rule: vmap would loop over it
                own = train_stacked(models, members, tensors, chosen.num_steps)
        for index, curve in zip(group, own.cpu().numpy(), strict=True):
            losses[index] = curve
    seconds = time.perf_counter() - started
    details = {"groups": len(groups), "largest_group": max(len(group) for group in groups.values())}
    if device == "cuda":
        details["device"] = torch.cuda.get_device_name()
        details["peak_device_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return measurement.Measured(seconds, seconds, np.array(losses), details)


def train_stacked(models, members, tensors, num_steps) -> torch.Tensor:
    """Trains G networks of one shape together; returns their losses, `(G, steps)`.

    PyTorch's optimisers have one learning rate and one weight decay for a stack, and these candidates have their own: so
    AdamW is written out.
    """
    params, buffers = stack_module_state(models)
    params = {name: value.detach() for name, value in params.items()}
    base, device = models[0], tensors[0][0].device

    def loss_of(own, own_buffers, inputs, targets):
        return torch_models.loss_fn(functional_call(base, (own, own_buffers), (inputs,)), targets)

    step_of_all = vmap(grad_and_value(loss_of), in_dims=(0, 0, None, None))

    def each(values, like):  # (G,) -> (G, 1, ...)
        return torch.tensor(values, device=device).view(-1, *[1] * (like.ndim - 1))

    first = {name: torch.zeros_like(value) for name, value in params.items()}
    second = {name: torch.zeros_like(value) for name, value in params.items()}
    decays = [member.hyperparameters["weight_decay"] for member in members]
    losses = []
    for step, (inputs, targets) in enumerate(tensors):
        gradients, loss = step_of_all(params, buffers, inputs, targets)
        norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0).sqrt()  # (G,)
        clip = (1.0 / norms).clamp(max=1.0)
        rates = [torch_models.rate(member, step, num_steps) for member in members]
        for name, value in params.items():
            gradient = gradients[name] * clip.view(-1, *[1] * (value.ndim - 1))
            first[name].lerp_(gradient, 0.1)
            second[name].mul_(0.98).addcmul_(gradient, gradient, value=0.02)
            mean = first[name] / (1 - 0.9 ** (step + 1))
            root = (second[name] / (1 - 0.98 ** (step + 1))).sqrt_().add_(1e-6)
            update = mean.div_(root)
            if value.ndim > 2:  # matrices, stacked
                update.add_(value * each(decays, value))
            value.sub_(update.mul_(each(rates, value)))
        losses.append(loss.detach())
    return torch.stack(losses, dim=1)


if __name__ == "__main__":
    measurement.main(__doc__, train)
