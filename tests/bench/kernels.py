#!/usr/bin/env python3
"""Times small matrix products and Newton-Schulz in polarscope and in the libraries people would use.

    python3 tests/bench/kernels.py build/release/polarscope [--only products | newton-schulz] [--rounds 5]
                                   [--prefix DIR] [--json FILE]

Products (one core): OpenBLAS and libxsmm, compiled here from products.c where their headers are found (Debian:
libopenblas-serial-dev, libxsmm-dev; --prefix names the root of packages that were only unpacked), beside Eigen in
`polarscope bench B4`. Five Newton-Schulz steps on stacks of matrices (all cores): torch.bmm and JAX, beside
`polarscope bench B5`. All take turns; the table has the median of the rounds. What is not installed is left out and named.
"""
import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from machine import CORES, bench, circumstances, pinned, versions

SIZES = (16, 32, 64, 128, 256)
FORMS = {"A B": "NN", "Aᵀ B": "TN", "A Bᵀ": "NT"}
STACKS = ((768, 64), (768, 128), (192, 256))
A, B, C = 3.4445, -4.7750, 2.0315


# ---- products --------------------------------------------------------------------------------------------------------


def our_products(program):
    """GFLOP/s by (library, form, n) on the widest instruction set."""
    report = bench(program, "B4", CORES[:1])
    rates = {}
    for row in report["rows"]:
        found = re.fullmatch(r"(.+), n = (\d+), (\w+), one core(: Eigen)?", row["name"])
        if found and found[3] == report["isa"] and found[1] in FORMS:
            rates["Eigen" if found[4] else "ours", FORMS[found[1]], int(found[2])] = row["median"]
    return rates


def build_products(prefix, folder):
    """The program of products.c with the libraries that are found; None without any."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "products.c")
    usr = os.path.join(prefix, "usr")
    includes = [f"{usr}/include"] + glob.glob(f"{usr}/include/*/openblas-serial")
    archives = {"OPENBLAS": glob.glob(f"{usr}/lib/*/openblas-serial/libopenblas.a"),
                "LIBXSMM": glob.glob(f"{usr}/lib/libxsmm.a") + glob.glob(f"{usr}/lib/libxsmmnoblas.a")}
    found = [name for name, files in archives.items() if files]
    for name in archives.keys() - set(found):
        print(f"not installed, left out: {name.lower()}", file=sys.stderr)
    if not found:
        return None
    program = os.path.join(folder, "products")
    subprocess.run(["cc", "-O2", source, "-o", program] + [f"-DWITH_{name}" for name in found]
                   + [f"-I{i}" for i in includes] + [f for name in found for f in archives[name]]
                   + ["-lm", "-lpthread", "-ldl"], check=True)
    return program


def their_products(program):
    command = [program] + [str(n) for n in SIZES]
    done = subprocess.run(pinned(command, CORES[:1]), capture_output=True, text=True, check=True)
    lines = (line.split() for line in done.stdout.splitlines())
    return {(library, form, int(n)): float(rate) for library, form, n, rate in lines}


def library_versions(program):
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    return dict(line.split() for line in done.stdout.splitlines())


def products(program, rounds, prefix):
    """Rows, and the versions of the libraries."""
    with tempfile.TemporaryDirectory() as folder:
        peers = build_products(prefix, folder)
        libraries = library_versions(peers) if peers else {}
        samples = {}
        for _ in range(rounds):
            for rates in (our_products(program), their_products(peers) if peers else {}):
                for key, rate in rates.items():
                    samples.setdefault(key, []).append(rate)
    rates = {key: statistics.median(values) for key, values in samples.items()}
    rows = []
    for form in FORMS.values():
        for n in SIZES:
            row = {library: rate for (library, f, m), rate in rates.items() if (f, m) == (form, n)}
            rows.append({"form": form, "n": n, "gflops": row})
            others = "  ".join(f"{k} {v:.1f} ({row['ours'] / v:.2f}x)" for k, v in row.items() if k != "ours")
            print(f"{form} n = {n}: ours {row['ours']:.1f} GFLOP/s  {others}", flush=True)
    return rows, libraries


# ---- Newton–Schulz ---------------------------------------------------------------------------------------------------


def torch_steps(count, n):
    import torch

    torch.set_num_threads(len(CORES))
    g = torch.randn(count, n, n)

    def run():
        x = g / (g.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
        for _ in range(5):
            s = torch.bmm(x, x.mT)
            x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=B, alpha=C), x, beta=A)
        return x

    return run


def jax_steps(count, n):
    import jax
    import jax.numpy as jnp

    def one(g):
        x = g / (jnp.sqrt((g * g).sum()) + 1e-7)
        for _ in range(5):
            s = x @ x.T
            x = A * x + (B * s + C * (s @ s)) @ x
        return x

    g = jax.random.normal(jax.random.PRNGKey(0), (count, n, n))
    mapped, stacked = jax.jit(lambda g: jax.lax.map(one, g)), jax.jit(jax.vmap(one))
    return lambda: mapped(g).block_until_ready(), lambda: stacked(g).block_until_ready()


def least(calls):
    """Milliseconds of the fastest of these, each the median of 5."""
    best = []
    for call in calls:
        call()
        took = []
        for _ in range(5):
            start = time.perf_counter()
            call()
            took.append(time.perf_counter() - start)
        best.append(statistics.median(took))
    return 1e3 * min(best)


def work(peer):
    """The child: one library in a process of its own."""
    if peer == "torch":
        return {n: least([torch_steps(count, n)]) for count, n in STACKS}
    return {n: least(jax_steps(count, n)) for count, n in STACKS}


def our_steps(program):
    rows = bench(program, "B5")["rows"]
    return {n: row["median"] for count, n in STACKS for row in rows if row["unit"] == "ms" and f" {count} of {n}²" in row["name"]}


def their_steps(peer):
    command = [sys.executable, os.path.abspath(__file__), "--work", peer]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, JAX_PLATFORMS="cpu"))
    if done.returncode:
        print(f"{peer} is left out: {(done.stderr.strip().splitlines() or [f'exit {done.returncode}'])[-1]}", file=sys.stderr)
        return {}
    return {int(n): ms for n, ms in json.loads(done.stdout).items()}


def newton_schulz(program, rounds):
    samples = {}
    for _ in range(rounds):
        for name in ("ours", "torch", "jax"):
            times = our_steps(program) if name == "ours" else their_steps(name)
            for n, ms in times.items():
                samples.setdefault((name, n), []).append(ms)
    rows = []
    for count, n in STACKS:
        row = {name: statistics.median(values) for (name, m), values in samples.items() if m == n}
        rows.append({"matrices": count, "n": n, "ms": row})
        others = "  ".join(f"{k} {v:.1f} ({v / row['ours']:.2f}x)" for k, v in row.items() if k != "ours")
        print(f"Newton–Schulz, {count} of {n}²: ours {row['ours']:.1f} ms  {others}", flush=True)
    return rows


def main():
    if sys.argv[1:2] == ["--work"]:
        return print(json.dumps(work(sys.argv[2])))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--only", choices=("products", "newton-schulz"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefix", default="/")
    parser.add_argument("--json")
    options = parser.parse_args()
    report, peers = {}, {}
    if options.only != "newton-schulz":
        report["products"], libraries = products(options.program, options.rounds, options.prefix)
        peers |= {"Eigen": bench(options.program, "B14")["eigen"]} | libraries
    if options.only != "products":
        report["newton_schulz"] = newton_schulz(options.program, options.rounds)
        peers |= versions(["torch", "jax", "jaxlib"])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(circumstances(options.program, peers) | report, file, indent=1)


if __name__ == "__main__":
    main()
