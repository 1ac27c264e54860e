#!/usr/bin/env python3
"""Times the training of small normalised networks in polarscope, PyTorch and JAX, on the same weights and data.

    python3 tests/bench/peers.py build/release/polarscope [--cases w64 …] [--optimizers adam …] [--runs 1 256]
                                 [--peers torch jax …] [--seconds 2] [--check-only] [--json FILE]

A case counts only when the losses of all agree: to 1e-6 over 10 steps (several runs, at up to 8 times the rate: 2e-6)
and 2e-4 over 100, relative to the first loss, in the very runs that are timed (of more than 64 the first 64). One
last bit that turns one ReLU grows beyond that within 100 steps in some runs of every library, most at high rates. So
up to half of the runs may part if the peer parts from itself when its first weights are moved by one bit: not ten
times as far, and not four times as many (every step rounds, not only the first); a run by itself may, if the peer
does in two of eight such moves. Ours and the peers take turns, seven blocks of about --seconds each; the table has
each one's best setting: T1 and T2 are one process of one or two threads, P2 (peers, several runs) two processes of
one thread with half the runs each. All are held to the same cores, the first or the first two. A case of which a run
of ours diverged is refused. Peers that are not installed are left out and named. Exits 1 when losses disagree, are no
finite numbers, a peer fails, or a case is refused, and where none is installed. The JSON is written after every case.

The workload: three layers w × w without bias; h = x/√(mean(x²) + 1e-6), z = h Wᵀ, ReLU after the first two; loss = mean
over batch and outputs of (z − y)²; 16 batches of N(0, 1) inputs and targets, step t uses batch t mod 16.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

from machine import CORES, circumstances, pinned, versions

BATCHES = 16
CHECKED_RUNS = 64  # 8 of every rate
NEAR, FAR = 10, 100  # steps over which losses are compared
FAR_LIMIT = 2e-4
LONE_NUDGES = 8  # of one run by itself
MORE, FURTHER = 4, 10  # runs that part, and how far they do, against the peer that is moved by rounding
CASES = {"w16": (16, 32), "w64": (64, 64), "w128": (128, 64), "w256": (256, 128)}  # width, batch
RATES = {"sgd": 0.1, "adam": 1e-3, "muon": 0.02, "rmnp": 0.02, "muonh": 0.02, "md": 0.02}
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
BETA1, BETA2, EPS, MOMENTUM = 0.9, 0.95, 1e-8, 0.95
GAIN_RATE = 1e-3
GAIN_START = math.log(math.e - 1)  # softplus of it is 1


def rates(optimizer, runs):
    """As the program has them."""
    base = RATES[optimizer]
    return [base] if runs == 1 else [base * 2.0 ** (r % 8 - 4) for r in range(runs)]


def write_workload(path, width, batch, runs, optimizer, steps, part=slice(None), nudge=0):
    """A file of `runs` runs, or of a part of them; `nudge` above 0: each first weight moved to the next number or the one
    before, each nudge by other signs. The rates are for the peers: ours go by the numbers of the runs."""
    import numpy
    from safetensors.numpy import save_file

    rng = numpy.random.default_rng(1234)

    def normal(*shape):
        return rng.standard_normal(shape).astype(numpy.float32)

    tensors = {f"weight/{k}": (normal(runs, width, width) / numpy.float32(math.sqrt(width)))[part] for k in (1, 2, 3)}
    if nudge:
        ends = numpy.array([-numpy.inf, numpy.inf], dtype=numpy.float32)
        signs = numpy.random.default_rng(4320 + nudge)
        tensors = {name: numpy.nextafter(w, signs.choice(ends, w.shape)) for name, w in tensors.items()}
    tensors["rates"] = numpy.array(rates(optimizer, runs)[part])
    tensors["inputs"] = normal(BATCHES, batch, width)
    tensors["targets"] = normal(BATCHES, batch, width)
    save_file(tensors, path, {"optimizer": optimizer, "steps": str(steps)})


# ---- the same formulas over either library --------------------------------------------------------------------------


class Rules:
    """Loss and optimizers written with the operations that torch and jax.numpy share; `lib` names what differs."""

    def __init__(self, lib):
        self.lib = lib

    def forward(self, weights, x, y):
        lib = self.lib
        z = x
        for k, w in enumerate(weights):
            h = z / lib.sqrt(lib.mean(z * z, -1, keepdims=True) + 1e-6)
            z = h @ lib.transpose(w)
            if k < 2:
                z = lib.relu(z)
        return lib.mean((z - y) ** 2)

    def norm(self, x):
        return self.lib.sqrt((x * x).sum())

    def orthogonalise(self, g):
        a, b, c = NEWTON_SCHULZ
        x = g / (self.norm(g) + 1e-7)
        for _ in range(5):
            s = x @ self.lib.transpose(x)
            x = a * x + (b * s + c * (s @ s)) @ x
        return x

    def normalise_rows(self, g):
        lib = self.lib
        return g / lib.maximum(lib.sqrt((g * g).sum(-1, keepdims=True)), 1e-12)

    def moment_step(self, g, m, v, t):
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g * g
        u = (m / (1 - BETA1**t)) / (self.lib.sqrt(v / (1 - BETA2**t)) + EPS)
        return u, m, v

    def start(self, optimizer, weights):
        """What one run trains: a list of one tuple for each layer."""
        lib = self.lib
        state = []
        for w in weights:
            zero = lib.zeros_like(w)
            if optimizer == "sgd":
                state.append((w,))
            elif optimizer == "adam":
                state.append((w, zero, zero))
            elif optimizer in ("muon", "rmnp"):
                state.append((w, zero))
            elif optimizer == "muonh":
                state.append((w, zero, self.norm(w)))
            else:
                gain, none = lib.full_like(w[0], GAIN_START), lib.zeros_like(w[0])
                state.append((w * (math.sqrt(w.shape[-1]) / self.norm(w)), zero, gain, none, none, gain, none, none))
        return state

    def weights(self, optimizer, state):
        if optimizer != "md":
            return [s[0] for s in state]
        lib = self.lib
        return [lib.softplus(s[2])[:, None] * s[0] * lib.softplus(s[5])[None, :] for s in state]

    def update(self, optimizer, state, grads, lr, t):
        return [self.layer(optimizer, s, g, lr, t) for s, g in zip(state, grads)]

    def layer(self, optimizer, s, g, lr, t):
        w = s[0]
        if optimizer == "sgd":
            return (w - lr * g,)
        if optimizer == "adam":
            u, m, v = self.moment_step(g, s[1], s[2], t)
            return (w - lr * u, m, v)
        if optimizer == "md":
            return self.md(s, g, lr, t)
        m = MOMENTUM * s[1] + (1 - MOMENTUM) * g
        n = (1 - MOMENTUM) * g + MOMENTUM * m
        if optimizer == "muon":
            return (w - lr * self.orthogonalise(n), m)
        if optimizer == "rmnp":
            return (w - lr * self.normalise_rows(n), m)
        rho, u = s[2], self.orthogonalise(n)
        w = w - lr * rho * u / self.lib.maximum(self.norm(u), 1e-10)
        return (w * (rho / self.norm(w)), m, rho)

    def md(self, s, g, lr, t):
        lib = self.lib
        h, m, a, am, av, b, bm, bv = s
        ra, rb = lib.softplus(a)[:, None], lib.softplus(b)[None, :]
        gh = g * ra * rb
        ga = (g * h * rb).sum(1) * lib.sigmoid(a)
        gb = (g * h * ra).sum(0) * lib.sigmoid(b)
        m = MOMENTUM * m + (1 - MOMENTUM) * gh
        h = h - lr * self.orthogonalise((1 - MOMENTUM) * gh + MOMENTUM * m)
        h = h * (math.sqrt(h.shape[-1]) / self.norm(h))
        ua, am, av = self.moment_step(ga, am, av, t)
        ub, bm, bv = self.moment_step(gb, bm, bv, t)
        return (h, m, a - GAIN_RATE * ua, am, av, b - GAIN_RATE * ub, bm, bv)


# ---- peers: each prepares a workload of so many steps; what it returns trains once: losses [steps][runs], and when the
# training began and ended by the machine's clock --------------------------------------------------------------------------


def load_workload(path):
    from safetensors.numpy import load_file

    tensors = load_file(path)
    return [tensors[f"weight/{k}"] for k in (1, 2, 3)], tensors["inputs"], tensors["targets"], tensors["rates"].tolist()


class TorchLib:
    def __init__(self):
        import torch

        self.torch = torch
        self.relu, self.sqrt = torch.relu, torch.sqrt
        self.zeros_like, self.full_like, self.sigmoid = torch.zeros_like, torch.full_like, torch.sigmoid
        self.softplus = torch.nn.functional.softplus

    def mean(self, x, axis=None, keepdims=False):
        return x.mean() if axis is None else x.mean(axis, keepdim=keepdims)

    def maximum(self, x, least):
        return x.clamp(min=least)

    def transpose(self, x):
        return x.mT


def torch_users(path, optimizer, steps):
    """One run at a time, as people write it: a module, autograd, an optimizer that loops over parameters."""
    import torch

    stacks, inputs, targets, lrs = load_workload(path)
    inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)
    rules = Rules(TorchLib())

    def one(run, lr):
        params = [torch.nn.Parameter(torch.from_numpy(s[run].copy())) for s in stacks]
        library = None
        if optimizer == "adam":
            library = torch.optim.Adam(params, lr=lr, betas=(BETA1, BETA2), eps=EPS)
        elif optimizer == "sgd":
            library = torch.optim.SGD(params, lr=lr)
        state = rules.start(optimizer, [p.detach().clone() for p in params])
        curve = []
        for t in range(steps):
            if not library:
                with torch.no_grad():
                    for p, w in zip(params, rules.weights(optimizer, state)):
                        p.copy_(w)
            for p in params:
                p.grad = None
            loss = rules.forward(params, inputs[t % BATCHES], targets[t % BATCHES])
            loss.backward()
            curve.append(loss.detach())
            if library:
                library.step()
            else:
                with torch.no_grad():
                    state = rules.update(optimizer, state, [p.grad for p in params], lr, t + 1)
        return [float(x) for x in curve]

    def train():
        start = time.perf_counter()
        losses = [one(run, lr) for run, lr in enumerate(lrs)]
        end = time.perf_counter()
        return [list(row) for row in zip(*losses)], start, end

    return train


def torch_vmap(path, optimizer, steps, compiled=False):
    """All runs at once by torch.func.vmap over a functional step."""
    import torch

    stacks, inputs, targets, lrs = load_workload(path)
    inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)
    lrs = torch.tensor(lrs)
    rules = Rules(TorchLib())

    def one(state, x, y, lr, t):
        weights = rules.weights(optimizer, state)
        grads, loss = torch.func.grad_and_value(lambda w: rules.forward(w, x, y))(weights)
        return rules.update(optimizer, state, grads, lr, t), loss

    step = torch.vmap(one, in_dims=(0, None, None, 0, None))
    if compiled:
        step = torch.compile(step)
    clock = [torch.tensor(float(t + 1)) for t in range(steps)]

    def begin():
        return torch.vmap(lambda *w: rules.start(optimizer, list(w)))(*[torch.from_numpy(s) for s in stacks])

    @torch.no_grad()
    def train():
        state, losses = begin(), []
        start = time.perf_counter()
        for t in range(steps):
            state, loss = step(state, inputs[t % BATCHES], targets[t % BATCHES], lrs, clock[t])
            losses.append(loss)
        end = time.perf_counter()
        return [[float(x) for x in row] for row in losses], start, end

    with torch.no_grad():
        step(begin(), inputs[0], targets[0], lrs, clock[0])  # compiles
    return train


def torch_compile(path, optimizer, steps):
    return torch_vmap(path, optimizer, steps, compiled=True)


def jax_map(path, optimizer, steps, vectorised=False):
    """Whole runs by lax.scan, one after another by lax.map, or side by side by vmap; compiled once."""
    import types

    import jax
    import jax.numpy as jnp

    stacks, inputs, targets, lrs = load_workload(path)
    lib = types.SimpleNamespace(
        relu=jax.nn.relu, sqrt=jnp.sqrt, zeros_like=jnp.zeros_like, full_like=jnp.full_like, maximum=jnp.maximum,
        sigmoid=jax.nn.sigmoid, softplus=jax.nn.softplus, mean=jnp.mean, transpose=lambda x: x.T)
    rules = Rules(lib)

    def run(inputs, targets, w1, w2, w3, lr):
        def step(state, t):
            weights = rules.weights(optimizer, state)
            loss, grads = jax.value_and_grad(rules.forward)(weights, inputs[t % BATCHES], targets[t % BATCHES])
            return rules.update(optimizer, state, grads, lr, (t + 1).astype(jnp.float32)), loss

        return jax.lax.scan(step, rules.start(optimizer, [w1, w2, w3]), jnp.arange(steps))[1]

    def everything(inputs, targets, *members):
        if vectorised:
            return jax.vmap(lambda *m: run(inputs, targets, *m))(*members)
        return jax.lax.map(lambda m: run(inputs, targets, *m), members)

    members = [jnp.asarray(s) for s in stacks] + [jnp.array(lrs, jnp.float32)]
    data = (jnp.asarray(inputs), jnp.asarray(targets))
    program = jax.jit(everything).lower(*data, *members).compile()
    program(*data, *members).block_until_ready()

    def train():
        start = time.perf_counter()
        losses = program(*data, *members).block_until_ready()
        end = time.perf_counter()
        return [[float(x) for x in row] for row in losses.T], start, end

    return train


def jax_vmap(path, optimizer, steps):
    return jax_map(path, optimizer, steps, vectorised=True)


PEERS = {"torch": torch_users, "torch-vmap": torch_vmap, "torch-compile": torch_compile, "jax": jax_map, "jax-vmap": jax_vmap}
NEEDS = {"torch": "torch", "torch-vmap": "torch", "torch-compile": "torch", "jax": "jax", "jax-vmap": "jax"}


def work(arguments):
    """The child: one peer in a process of its own, whose threads were set before its library was loaded. It prepares
    once and then trains for every line it is sent."""
    peer, path, optimizer, steps, threads = arguments
    if peer.startswith("torch"):
        import torch

        torch.set_num_threads(int(threads))
    train = PEERS[peer](path, optimizer, int(steps))
    for _ in sys.stdin:
        losses, start, end = train()
        print(json.dumps({"losses": losses, "start": start, "end": end}), flush=True)


class Child:
    """One process of a peer, a thread to each of its cores. It waits to be asked."""

    def __init__(self, peer, path, optimizer, steps, cores):
        threads = str(len(cores))
        environment = dict(os.environ, OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads, JAX_PLATFORMS="cpu",
                           TF_CPP_MIN_LOG_LEVEL="3")
        command = pinned([sys.executable, __file__, "--work", peer, path, optimizer, str(steps), threads], cores)
        self.complaints = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.complaints)

    def ask(self):
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and answer() says why

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.complaints.seek(0)
            lines = self.complaints.read().strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"exit {self.process.returncode}")
        return json.loads(line)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


class Peer:
    """One process, or several that train parts of the runs at the same time. `places`: path and cores of each."""

    def __init__(self, peer, optimizer, steps, places):
        self.children = [Child(peer, path, optimizer, steps, cores) for path, cores in places]

    def train(self):
        for child in self.children:
            child.ask()
        answers = [child.answer() for child in self.children]
        return {"losses": [sum(rows, []) for rows in zip(*(a["losses"] for a in answers))],
                "seconds": max(a["end"] for a in answers) - min(a["start"] for a in answers)}

    def close(self):
        for child in self.children:
            child.close()


def run_ours(program, path, threads):
    command = [program, "bench", "--workload", path, "--threads", str(threads), "--json", "-"]
    done = subprocess.run(pinned(command, CORES[:threads]), capture_output=True, text=True)
    if done.returncode:
        raise Fault(f"{program}: {done.stderr.strip()}")
    return json.loads(done.stdout)


# ---- comparing ---------------------------------------------------------------------------------------------------------


class Fault(Exception):
    """Why a case or a peer does not count."""


def require_finite(name, losses):
    for step, row in enumerate(losses):
        for run, loss in enumerate(row):
            if not math.isfinite(float(loss)):  # ours come as words: "nan", "inf"
                raise Fault(f"run {run} of {name} diverged: its loss at step {step + 1} is {loss}")


def spread(ours, theirs, steps):
    """Of each run the largest difference of the losses over the first steps, relative to its first loss."""
    return [max(abs(a - b) / abs(other[0]) for a, b in zip(run[:steps], other[:steps]))
            for run, other in zip(zip(*ours), zip(*theirs))]


def compare(name, losses, peer, theirs):
    """Largest difference of each run over 10 and over 100 steps, of finite numbers only."""
    require_finite(name, losses)
    require_finite(peer, theirs)
    if [len(row) for row in losses] != [len(row) for row in theirs]:
        raise Fault(f"{name} has {len(losses)} steps of {len(losses[0])} runs, {peer} {len(theirs)} of {len(theirs[0])}")
    return [spread(losses, theirs, steps) for steps in (NEAR, FAR)]


def parted(differences):
    """Runs that differ by more than they may, and how far each does over all steps."""
    near, far = differences
    near_limit = 1e-6 if len(near) == 1 else 2e-6  # the largest of 64 differences at higher rates is above that of one
    return {run: far[run] for run in range(len(far)) if near[run] > near_limit or far[run] > FAR_LIMIT}


def agrees(program, peer, width, batch, runs, optimizer, folder):
    """How near the first 100 steps of the runs are, or of the first of them. Raises a Fault when they are not the same."""
    path = os.path.join(folder, "check.safetensors")

    def train(nudge=0):
        write_workload(path, width, batch, runs, optimizer, FAR, slice(CHECKED_RUNS), nudge)
        child = Peer(peer, optimizer, FAR, [(path, CORES[:1])])
        try:
            return child.train()["losses"]
        finally:
            child.close()

    theirs = train()
    ours = run_ours(program, path, 1)["losses"]
    near, far = differences = compare("ours", ours, peer, theirs)
    apart = parted(differences)
    together = [run for run in range(len(far)) if run not in apart] or range(len(far))
    checked = "" if runs <= CHECKED_RUNS else f"of the first {CHECKED_RUNS} runs "
    text = (f"losses {checked}differ by {max(near[run] for run in together):.1e} over {NEAR} steps, "
            f"{max(far[run] for run in together):.1e} over {FAR}")
    if not apart:
        return text
    text += f"; {len(apart)} of {len(far)} by up to {max(apart.values()):.1e}"
    if runs > 1 and 2 * len(apart) > len(far):
        raise Fault(f"{text}: TOO MANY")
    nudges = 1 if runs > 1 else LONE_NUDGES
    rounding = [difference for nudge in range(1, nudges + 1)
                for difference in parted(compare(f"{peer} moved by one bit", train(nudge), peer, theirs)).values()]
    text += f", by rounding alone {len(rounding)} of {nudges * len(far)} by up to {max(rounding, default=0):.1e}"
    if nudges * len(apart) > MORE * len(rounding) or max(apart.values()) > FURTHER * max(rounding):
        raise Fault(f"{text}: TOO MUCH")
    return text


def steps_of(train, seconds):
    """Steps that take about so long, from how long some took; `train` is given their number."""
    steps = 100
    took = train(steps)
    return max(32, int(steps * seconds / max(took, 1e-9)))


def timed(program, peers, width, batch, runs, optimizer, seconds, folder):
    """Microseconds per run and step, of ours and of each peer's best setting; all take turns."""
    half = (runs + 1) // 2
    parts = {"all": slice(None), "first": slice(half), "second": slice(half, None)}

    def path_of(steps, part="all"):  # the workload of so many steps
        path = os.path.join(folder, f"timed{steps}{part}.safetensors")
        if not os.path.exists(path):
            write_workload(path, width, batch, runs, optimizer, steps, parts[part])
        return path

    def once(peer, steps):
        child = Peer(peer, optimizer, steps, [(path_of(steps), CORES[:2])])
        try:
            return child.train()["seconds"]
        finally:
            child.close()

    trainers = {}  # (name, setting): steps and what trains them
    for threads in (1, 2)[:len(CORES)]:
        steps = steps_of(lambda n: run_ours(program, path_of(n), threads)["seconds"], seconds)
        require_finite("ours", run_ours(program, path_of(steps), threads)["losses"])
        trainers["ours", f"T{threads}"] = steps, lambda s=steps, t=threads: run_ours(program, path_of(s), t)
    children = []
    for peer in peers:
        try:
            steps = steps_of(lambda n: once(peer, n), seconds)
            places = {f"T{n}": [(path_of(steps), CORES[:n])] for n in (1, 2)[:len(CORES)]}
            if runs > 1 and len(CORES) > 1:
                places["P2"] = [(path_of(steps, part), [core]) for part, core in zip(("first", "second"), CORES)]
            for setting, where in places.items():
                child = Peer(peer, optimizer, steps, where)
                children.append(child)
                require_finite(peer, child.train()["losses"])  # compiles and warms up
                trainers[peer, setting] = steps, child.train
        except (Fault, RuntimeError) as error:
            print(f"  {peer} is left out: {error}", file=sys.stderr)
            trainers = {key: trainer for key, trainer in trainers.items() if key[0] != peer}
    samples = {}
    try:
        for _ in range(7):
            for key, (steps, train) in trainers.items():
                samples.setdefault(key, []).append(train()["seconds"] / steps / runs * 1e6)
    finally:
        for child in children:
            child.close()
    best = {}
    for (name, setting), values in samples.items():
        middle = statistics.median(values)
        if name not in best or middle < best[name][0]:
            best[name] = (middle, setting)
    return best


def installed(names):
    import importlib.util

    missing = sorted({NEEDS[n] for n in names if importlib.util.find_spec(NEEDS[n]) is None})
    if missing:
        print(f"not installed, left out: {', '.join(missing)}", file=sys.stderr)
    return [n for n in names if NEEDS[n] not in missing]


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "--work":
        return work(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["w16", "w64", "w128"])
    parser.add_argument("--optimizers", nargs="+", choices=RATES, default=["adam", "muon", "rmnp"])
    parser.add_argument("--runs", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--check-only", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    peers = installed(options.peers)
    if not peers:
        return 1
    rows, faults = [], 0
    for case in options.cases:
        for optimizer in options.optimizers:
            for runs in options.runs:
                with tempfile.TemporaryDirectory() as folder:
                    row, wrong = cell(options, peers, case, optimizer, runs, folder)
                faults += wrong
                if row:
                    rows.append(row)
                    write_json(options, rows)
    return 1 if faults else 0


def write_json(options, rows):
    if not options.json:
        return
    used = versions(["torch", "jax", "jaxlib", "numpy"])
    with open(options.json + ".new", "w", encoding="utf-8") as file:
        json.dump(circumstances(options.program, used) | {"rows": rows}, file, indent=1)
    os.replace(options.json + ".new", options.json)


def cell(options, peers, case, optimizer, runs, folder):
    """A row of the JSON, None without timings, and the number of faults."""
    width, batch = CASES[case]
    name = f"{case} {optimizer} x{runs}"
    usable, faults = [], 0
    for peer in peers:
        try:
            print(f"{name} {peer}: {agrees(options.program, peer, width, batch, runs, optimizer, folder)}", flush=True)
            usable.append(peer)
        except RuntimeError as error:
            print(f"{name} {peer}: FAILS: {error}", flush=True)
            faults += 1
        except Fault as fault:
            print(f"{name} {peer}: {fault}", flush=True)
            faults += 1
    if options.check_only:
        return None, faults
    try:
        best = timed(options.program, usable, width, batch, runs, optimizer, options.seconds, folder)
    except (Fault, RuntimeError) as fault:
        print(f"{name}: REFUSED: {fault}", flush=True)
        return None, faults + 1
    ours = best["ours"][0]
    others = "  ".join(f"{k} {v[0]:.1f} ({v[0] / ours:.1f}x, {v[1]})" for k, v in best.items() if k != "ours")
    print(f"{name}: ours {ours:.2f} us/step ({best['ours'][1]})  {others}", flush=True)
    return {"case": case, "optimizer": optimizer, "runs": runs, "us_per_step": {k: v[0] for k, v in best.items()},
            "setting": {k: v[1] for k, v in best.items()}}, faults


if __name__ == "__main__":
    sys.exit(main())
