"""What peers.py and kernels.py share: cores, and what a comparison was made with."""
import importlib.metadata
import json
import os
import platform
import subprocess

CORES = sorted(os.sched_getaffinity(0))


def pinned(command, cores):
    """The command on these cores alone: who is measured beside others gets no better place than they do."""
    return ["taskset", "-c", ",".join(str(c) for c in cores)] + command


def bench(program, which, cores=None):
    command = [program, "bench", which, "--json", "-"]
    done = subprocess.run(pinned(command, cores) if cores else command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{program}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def versions(packages):
    """Of Python packages; those that are not installed are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def circumstances(program, peers):
    """For the JSON: the machine, this program's build and the peers' versions. `cores` are those that may be used."""
    report = bench(program, "B14")
    return {"cpu": report["cpu"], "cores": len(CORES), "isa": report["isa"], "program": report["program"],
            "commit": report["commit"] or None, "compiler": report["compiler"], "python": platform.python_version(),
            "peers": peers}
