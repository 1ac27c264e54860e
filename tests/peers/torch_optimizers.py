#!/usr/bin/env python3
"""Replays the same gradients through polarscope and through optimizers written for PyTorch, all in float64.

    python3 tests/peers/torch_optimizers.py build/release/polarscope [PRESET…]

Needs torch and safetensors; lion-pytorch, adamp, torch-optimizer, pytorch-optimizer and emerging-optimizers add the
cases that carry their name. Prints a line per case and exits 1 on a difference.
"""
import importlib
import itertools
import math
import os
import subprocess
import sys
import tempfile
from typing import Callable, NamedTuple

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # some peers compile their update, in which float64 gains nothing
import torch
from safetensors.torch import load_file, save_file

# Peers round to bfloat16 or float32 in places. Asked for either they get float64, so that formulas are compared.
torch.set_default_dtype(torch.float64)
torch.bfloat16 = torch.float32 = torch.float64
torch.Tensor.bfloat16 = torch.Tensor.float = torch.Tensor.double

STEPS = 60  # beyond SOAP's and TVR's periods
SHAPES = {"wide": (5, 12), "tall": (12, 5), "square": (7, 7), "row": (1, 9), "column": (9, 1)}
NO_COLUMN = ("wide", "tall", "square", "row")
SQUARE = ("square",)  # where a rank-deficient factor leaves the basis of its null space to chance
BOUND = 1e-12         # of the largest weight at that step
DECOMPOSED = 1e-9     # through eigenvectors, whose conditioning is the gradients'


class Case(NamedTuple):
    preset: str
    settings: str  # what --set changes
    make: Callable  # the peer's optimizer of a list of parameters
    names: tuple = tuple(SHAPES)
    bound: float = BOUND


class WeightNorm:
    """SGD on torch's own reparametrisation, fed with the gradient of the weight that the layer uses."""

    def __init__(self, parameters, lr):
        self.pairs = []
        for p in parameters:
            layer = torch.nn.Linear(p.shape[1], p.shape[0], bias=False)
            layer.weight.data.copy_(p.data)
            self.pairs.append((p, torch.nn.utils.parametrizations.weight_norm(layer)))
        self.sgd = torch.optim.SGD([q for _, layer in self.pairs for q in layer.parameters()], lr=lr)

    def step(self):
        self.sgd.zero_grad()
        for p, layer in self.pairs:
            layer.weight.backward(p.grad)
        self.sgd.step()
        for p, layer in self.pairs:
            p.data.copy_(layer.weight.detach())


def peer(module, name, *arguments, muon=False, **options):
    """What makes the optimizer `module.name`; `muon` marks the parameters as pytorch-optimizer's Muons want them."""

    def make(parameters):
        groups = [{"params": parameters, "use_muon": True}] if muon else parameters
        return getattr(importlib.import_module(module), name)(groups, *arguments, **options)

    make.title = f"{module}.{name}"
    return make


def torch_optim(name, **options):
    return peer("torch.optim", name, **options)


def weight_norm(parameters):
    return WeightNorm(parameters, lr=0.1)


weight_norm.title = "torch weight_norm"

PO, TO, NEMO = "pytorch_optimizer", "torch_optimizer", "emerging_optimizers.orthogonalized_optimizers"
COUPLED, CLAMP = "decay.kind=coupled weight_decay=0.03", "ns_eps_form=clamp"
MUON = {"lr": 0.02, "momentum": 0.95, "nesterov": True, "weight_decay": 0.0}
NEMO_MUON = {**MUON, "scale_mode": "shape_scaling"}

# Fields of Case.
CASES = [
    ("sgd", "", torch_optim("SGD", lr=0.1)),
    ("sgd", COUPLED, torch_optim("SGD", lr=0.1, weight_decay=0.03)),
    ("momentum", "", torch_optim("SGD", lr=0.1, momentum=0.9)),
    ("momentum", COUPLED, torch_optim("SGD", lr=0.1, momentum=0.9, weight_decay=0.03)),
    ("nesterov", "", torch_optim("SGD", lr=0.1, momentum=0.9, nesterov=True)),
    ("nesterov", COUPLED, torch_optim("SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.03)),
    ("adam", "", torch_optim("Adam")),
    ("adam_l2", "", torch_optim("Adam", weight_decay=1e-2)),
    ("adamw", "", torch_optim("AdamW")),
    ("adamw", "lr=0.03 beta1=0.8 beta2=0.95 eps=1e-3 weight_decay=0.2",
     torch_optim("AdamW", lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.2)),
    ("nadamw", "", torch_optim("NAdam", weight_decay=1e-2, decoupled_weight_decay=True)),
    ("nadamw", COUPLED, torch_optim("NAdam", weight_decay=0.03)),
    ("ademamix", "half_life=paper", peer(PO, "AdEMAMix")),
    ("ademamix", "half_life=paper slow_warmup=40 beta3=0.99 weight_decay=0.03",
     peer(PO, "AdEMAMix", t_alpha_beta3=40, betas=(0.9, 0.999, 0.99), weight_decay=0.03, weight_decouple=True)),
    ("rmsprop", "", torch_optim("RMSprop")),
    ("rmsprop", "weight_decay=0.03", torch_optim("RMSprop", weight_decay=0.03)),
    ("adagrad", "", torch_optim("Adagrad")),
    ("adagrad", "weight_decay=0.03", torch_optim("Adagrad", weight_decay=0.03)),
    ("torch_muon", "", torch_optim("Muon")),
    ("torch_muon", "nesterov=false", torch_optim("Muon", nesterov=False)),
    ("torch_muon_match_rms", "", torch_optim("Muon", adjust_lr_fn="match_rms_adamw")),
    ("torch_muon_spectral", "", torch_optim("Muon", adjust_lr_fn="spectral_unclamped")),
    ("weight_norm", "", weight_norm),
    ("lion", "", peer("lion_pytorch", "Lion")),
    ("lion", "weight_decay=0.1", peer("lion_pytorch", "Lion", weight_decay=0.1)),
    ("signsgd", "", peer(PO, "SignSGD", lr=0.01, momentum=0.0)),
    ("signum", "weight_decay=0.1", peer(PO, "SignSGD", lr=1e-4, momentum=0.9, weight_decay=0.1)),
    ("adamp", "", peer("adamp", "AdamP", weight_decay=1e-2)),
    ("sgdp", "", peer("adamp", "SGDP", lr=0.1, momentum=0.9, weight_decay=1e-5)),
    ("sgdp_nesterov", "", peer("adamp", "SGDP", lr=0.1, momentum=0.9, weight_decay=1e-5, nesterov=True)),
    ("lars", "lr=10", peer(PO, "LARS", lr=10.0)),
    ("lars", "lr=10 weight_decay=0.03", peer(PO, "LARS", lr=10.0, weight_decay=0.03)),
    ("lamb", "", peer(TO, "Lamb")),
    ("lamb", "weight_decay=0.03", peer(TO, "Lamb", weight_decay=0.03)),
    ("lamb_debiased", "weight_decay=0.03", peer(TO, "Lamb", weight_decay=0.03, debias=True)),
    ("nero", "", peer(PO, "Nero", eps=0.0), NO_COLUMN),
    ("shampoo", "", peer(PO, "Shampoo", matrix_eps=1e-4), tuple(SHAPES), DECOMPOSED),
    ("shampoo_half", "", peer(TO, "Shampoo"), tuple(SHAPES), DECOMPOSED),
    ("soap", "", peer(PO, "SOAP"), SQUARE, DECOMPOSED),
    ("muon", CLAMP, peer(PO, "Muon", muon=True, **MUON)),
    ("normuon", CLAMP, peer(PO, "NorMuon", muon=True, **MUON)),
    ("muon_quintic", CLAMP, peer(NEMO, "Muon", coefficient_type="quintic", **NEMO_MUON)),
    ("muon_polar_express", CLAMP, peer(NEMO, "Muon", coefficient_type="polar_express", num_ns_steps=8, **NEMO_MUON)),
    ("muon_deepseek", CLAMP, peer(NEMO, "Muon", coefficient_type="deepseekv4", num_ns_steps=10, **NEMO_MUON)),
    ("muon_quintic", f"{CLAMP} shape_scale=spectral weight_decay=0.03 decay.kind=independent",
     peer(NEMO, "Muon", lr=0.02, weight_decay=0.03, nesterov=True, weight_decay_method="independent")),
    ("muon_quintic", f"{CLAMP} shape_scale=out_in weight_decay=3 decay.kind=palm",
     peer(NEMO, "Muon", lr=0.02, weight_decay=3.0, nesterov=True, weight_decay_method="palm", scale_mode="unit_rms_norm")),
    ("muonh_nemo", "weight_decay=0", peer(NEMO, "MuonHyperball", weight_decay=0.0)),  # 0.3.0 takes the radius after decay
    ("spel_nemo", "", peer(NEMO, "Spel")),
    ("scion_nemo", "", peer(NEMO, "Scion")),
    ("scion", f"{CLAMP} alpha=0.1 radius=50", peer(PO, "SCION", momentum=0.1, constraint=True, norm_type=2, scale=50.0)),
    ("scion_unconstrained", f"{CLAMP} alpha=0.1", peer(PO, "SCION", momentum=0.1, norm_type=2)),
    ("scion_sign", "alpha=0.1", peer(PO, "SCION", momentum=0.1, constraint=True, norm_type=4)),
    ("scion_column", "alpha=0.1", peer(PO, "SCION", momentum=0.1, constraint=True, norm_type=6)),
    ("scion_row", "alpha=0.1", peer(PO, "SCION", momentum=0.1, constraint=True, norm_type=7)),
]


def made_up(names):
    """Weights and gradients of changing size, with one step of zeros and one of a thousand times the others."""
    generator = torch.Generator().manual_seed(7)
    weights = {n: torch.randn(SHAPES[n], generator=generator) for n in names}
    size = 10 ** (2 * torch.rand(STEPS, 1, 1, generator=generator) - 1)
    size[5], size[24] = 0, 1000
    return weights, {n: size * torch.randn(STEPS, *SHAPES[n], generator=generator) for n in names}


def peer_path(make, weights, gradients):
    parameters = {n: torch.nn.Parameter(w.clone()) for n, w in weights.items()}
    optimizer = make(list(parameters.values()))
    path = {n: [] for n in weights}
    for t in range(STEPS):
        for n, p in parameters.items():
            p.grad = gradients[n][t].clone()
        optimizer.step()
        for n, p in parameters.items():
            path[n].append(p.detach().clone())
    return {n: torch.stack(rows) for n, rows in path.items()}


def polarscope_path(program, folder, preset, settings, weights, gradients):
    trace, out = os.path.join(folder, "trace.safetensors"), os.path.join(folder, "out.safetensors")
    tensors = {f"weight/{n}": w for n, w in weights.items()} | {f"gradient/{n}": g for n, g in gradients.items()}
    save_file(tensors, trace)
    command = [program, "replay", trace, "--optimizer", preset, "--precision", "f64", "--out", out]
    command += [word for setting in settings.split() for word in ("--set", setting)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
    path = {n: load_file(out)[f"weight/{n}"][1:] for n in weights}
    if (steps := min(len(rows) for rows in path.values())) < STEPS:
        raise RuntimeError(f"stopped after step {steps}")
    return path


def worst_difference(mine, theirs, bound):
    """The largest difference relative to the largest weight of its step; parameter and first step beyond the bound."""
    worst, where = 0.0, ""
    for n in theirs:
        difference = (mine[n] - theirs[n]).abs().amax(dim=(1, 2)) / theirs[n].abs().amax(dim=(1, 2))
        difference = torch.nan_to_num(difference, nan=math.inf)
        if (largest := difference.max().item()) > worst:
            worst = largest
            where = f"{n}, from step {(difference > bound).nonzero()[0].item() + 1}" if largest > bound else ""
    return worst, where


def main():
    program, wanted = sys.argv[1], sys.argv[2:]
    print(f"{'preset':22}{'peer':52}{'difference':>11}  settings")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for preset, settings, make, names, bound in itertools.starmap(Case, CASES):
            if wanted and preset not in wanted:
                continue
            weights, gradients = made_up(names)
            try:
                theirs = peer_path(make, weights, gradients)
                mine = polarscope_path(program, folder, preset, settings, weights, gradients)
                worst, where = worst_difference(mine, theirs, bound)
                result, good = f"{worst:11.1e}", worst <= bound
            except ModuleNotFoundError as missing:
                result, where, good = f"{'absent':>11}", str(missing), True
            except RuntimeError as error:
                result, where, good = f"{'error':>11}", str(error), False
            failed += not good
            print(f"{preset:22}{make.title:52}{result}  {settings}{'' if good else '  DIFFERS: '}{where}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
