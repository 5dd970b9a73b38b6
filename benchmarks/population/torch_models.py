"""The same networks and the same training in plain PyTorch, as its users would write them.

Query, key and value are one matrix product, attention is PyTorch's fused one, AdamW is the fused one: what is written
below is the fastest of the forms that were tried, and the same function. A test holds the losses beside ours.
"""

import math

import torch
import torch.nn.functional as F
from candidate_set import CandidateSet, Member
from torch import nn

torch.backends.cudnn.allow_tf32 = False  # products of matrices are float32 by PyTorch's default, convolutions are not


class Attention(nn.Module):
    def __init__(self, d_model, num_heads, head_dim, causal):
        super().__init__()
        self.num_heads, self.causal = num_heads, causal
        self.norm = nn.RMSNorm(d_model, eps=1e-6)
        self.qkv = nn.Linear(d_model, 3 * num_heads * head_dim, bias=False)
        self.out = nn.Linear(num_heads * head_dim, d_model, bias=False)

    def forward(self, x):  # (B, T, d_model)
        batch, length, _ = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, length, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, T, head_dim) each
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.norm = nn.RMSNorm(d_model, eps=1e-6)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x):  # (B, T, d_model)
        return x + self.down(F.gelu(self.up(self.norm(x)), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, *, d_model, num_heads, head_dim, d_ff, causal):
        super().__init__()
        self.attention = Attention(d_model, num_heads, head_dim, causal)
        self.feed_forward = FeedForward(d_model, d_ff)

    def forward(self, x):
        return self.feed_forward(self.attention(x))


class VisionTransformer(nn.Module):
    def __init__(self, *, image_size, channels, num_classes, patch_size, num_layers, d_model, **block):
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Linear(patch_size**2 * channels, d_model, bias=False)
        self.position = nn.Parameter(torch.zeros((image_size // patch_size) ** 2, d_model))
        self.blocks = nn.Sequential(*(Block(d_model=d_model, causal=False, **block) for _ in range(num_layers)))
        self.norm = nn.RMSNorm(d_model, eps=1e-6)
        self.head = nn.Linear(d_model, num_classes, bias=False)

    def forward(self, images):  # (B, H, W, C) in 0..1
        batch, height, width, channels = images.shape
        p = self.patch_size
        x = images.view(batch, height // p, p, width // p, p, channels).permute(0, 1, 3, 2, 4, 5)
        x = self.projection(x.reshape(batch, -1, p * p * channels)) + self.position
        return self.head(self.norm(self.blocks(x)).mean(dim=1))


class DecoderTransformer(nn.Module):
    def __init__(self, *, vocabulary, context, num_layers, d_model, **block):
        super().__init__()
        self.token = nn.Embedding(vocabulary, d_model)
        self.position = nn.Parameter(torch.zeros(context, d_model))
        self.blocks = nn.Sequential(*(Block(d_model=d_model, causal=True, **block) for _ in range(num_layers)))
        self.norm = nn.RMSNorm(d_model, eps=1e-6)
        self.head = nn.Linear(d_model, vocabulary, bias=False)

    def forward(self, tokens):  # (B, T)
        return self.head(self.norm(self.blocks(self.token(tokens) + self.position[: tokens.shape[1]])))


class ConvolutionBlock(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Conv2d(width, hidden, 3, padding=1, bias=False)
        self.down = nn.Conv2d(hidden, width, 3, padding=1, bias=False)

    def forward(self, x):  # (B, H, W, width); a view of it is what PyTorch calls channels last
        y = self.up(self.norm(x).permute(0, 3, 1, 2))
        return x + self.down(F.gelu(y, approximate="tanh")).permute(0, 2, 3, 1)


class ConvolutionalNetwork(nn.Module):
    def __init__(self, *, image_size, channels, num_classes, stride, num_layers, width, hidden):
        super().__init__()
        del image_size  # of no weight
        self.stride = stride
        self.stem = nn.Conv2d(stride**2 * channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ConvolutionBlock(width, hidden) for _ in range(num_layers)))
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.head = nn.Linear(width, num_classes, bias=False)
        self.to(memory_format=torch.channels_last)

    def forward(self, images):  # (B, H, W, C) in 0..1
        batch, height, width, channels = images.shape
        s = self.stride
        x = images.view(batch, height // s, s, width // s, s, channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, height // s, width // s, s * s * channels).permute(0, 3, 1, 2)
        x = self.blocks(self.stem(x).permute(0, 2, 3, 1))
        return self.head(self.norm(x).mean(dim=(1, 2)))


MODELS = {"vit": VisionTransformer, "decoder_transformer": DecoderTransformer, "cnn": ConvolutionalNetwork}


def build(chosen: CandidateSet, member: Member) -> nn.Module:
    """The network of one candidate with its initial weights, on the CPU."""
    model = MODELS[chosen.family](**chosen.fixed, **member.sizes)
    model.load_state_dict(_state(member))
    return model


def _state(member: Member) -> dict[str, torch.Tensor]:
    """Our weights under PyTorch's names: `Linear` keeps its matrix transposed, query, key and value are one."""
    ours = {".".join(map(str, path)): torch.tensor(value) for path, value in member.weights.items()}
    state = {}
    for name, value in ours.items():
        prefix, _, last = name.rpartition(".")
        if last in ("key", "value"):
            continue
        if last == "query":
            parts = [ours[f"{prefix}.{part}"].flatten(1) for part in ("query", "key", "value")]
            state[f"{prefix}.qkv.weight"] = torch.cat(parts, dim=1).T
        elif last == "scale":
            state[f"{prefix}.weight"] = value
        elif last == "position":
            state["position"] = value
        elif name == "embed.token":
            state["token.weight"] = value
        elif name == "embed.projection":
            state["projection.weight"] = value.T
        elif name == "stem.bias":
            state[name] = value
        elif value.ndim == 4:  # convolutions: (3, 3, in, out)
            state["stem.weight" if name == "stem.kernel" else f"{name}.weight"] = value.permute(3, 2, 0, 1)
        else:  # out (num_heads, head_dim, d_model), up, down, head
            state[f"{name}.weight"] = value.reshape(-1, value.shape[-1]).T
    return state


def batches(chosen: CandidateSet, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """All batches as tensors: pixels in 0..1, tokens and labels as int64."""
    tensors = []
    for inputs, targets in chosen.batches:
        read = torch.from_numpy(inputs).to(device)
        read = read.long() if chosen.family == "decoder_transformer" else read.float() / 255
        tensors.append((read, torch.from_numpy(targets).to(device).long()))
    return tensors


def loss_fn(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def rate(member: Member, step: int, num_steps: int) -> float:
    """Learning rate of a step: warm-up, then a cosine to a tenth."""
    warmup = min((step + 1) / member.hyperparameters["warmup_steps"], 1.0)
    decay = 0.55 + 0.45 * math.cos(math.pi * min(step / num_steps, 1.0))
    return member.hyperparameters["learning_rate"] * warmup * decay


def make_optimizer(model: nn.Module, member: Member) -> torch.optim.Optimizer:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": member.hyperparameters["weight_decay"]},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)


def train(model: nn.Module, member: Member, tensors: list, num_steps: int) -> torch.Tensor:
    """Takes one step for each batch of a schedule of `num_steps`; returns the losses, still on the device."""
    optimizer = make_optimizer(model, member)
    parameters = list(model.parameters())
    losses = []
    for step, (inputs, targets) in enumerate(tensors):
        for group in optimizer.param_groups:
            group["lr"] = rate(member, step, num_steps)
        loss = loss_fn(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)
