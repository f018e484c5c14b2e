#!/usr/bin/env python3
"""Runs what make_networks.py and make_operators.py wrote through the tool, and compares.

    python check.py TOOL FOLDER [NAME ...]

An error is the norm of the difference over the norm of TensorFlow's result. Networks are run from the folder and from a
saved engine; the error against float64 is shown beside TensorFlow's own.
"""

import glob
import os
import subprocess
import sys
import tempfile

import numpy as np


def error(found, wanted):
    if found.shape != wanted.shape:
        return f"shape {found.shape}, expected {wanted.shape}"
    if found.dtype != wanted.dtype:
        return f"type {found.dtype}, expected {wanted.dtype}"
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return "NaN in other places"
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    norm = np.linalg.norm(b)
    difference = np.linalg.norm(a - b)
    return difference / norm if norm > 0 else difference


def run(tool, model, inputs, expected, extra=(), renamed=None):
    with tempfile.TemporaryDirectory() as place:
        command = [tool, "run", model, *extra]
        for path in sorted(glob.glob(os.path.join(inputs, "*.npy"))):
            name = os.path.basename(path)[:-4]
            command += ["--input", f"{(renamed or {}).get(name, name)}={path}"]
        names = [os.path.basename(p)[:-4] for p in sorted(glob.glob(os.path.join(expected, "*.npy")))]
        for name in names:
            command += ["--output", f"{name}={place}/{name}.npy"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            return {}, "more than 600 s"
        if done.returncode != 0:
            return {}, f"status {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"
        return {name: np.load(f"{place}/{name}.npy") for name in names}, None


def verdict(results, folder):
    worst = 0.0
    for name, found in results.items():
        value = error(found, np.load(os.path.join(folder, name + ".npy")))
        if isinstance(value, str):
            return f"{name}: {value}"
        worst = max(worst, value)
    return worst


def network(tool, place):
    name = os.path.basename(place)
    lines = []
    for way in ("exported", "saved"):
        model = os.path.join(place, way)
        renamed = None
        if way == "saved":
            # tf.saved_model.save has names of its own, in the order of the inputs.
            with open(f"{place}/order.txt") as file:
                order = file.read().split()
            renamed = {name: "inputs" + (f"_{i}" if i else "") for i, name in enumerate(order)}
        results, failure = run(tool, model, f"{place}/inputs", f"{place}/outputs", renamed=renamed)
        lines.append((way, failure or verdict(results, f"{place}/outputs")))
        if way == "exported" and not failure:
            wide = verdict(results, f"{place}/float64")
            own = verdict({os.path.basename(p)[:-4]: np.load(p) for p in glob.glob(
                f"{place}/outputs/*.npy")}, f"{place}/float64") if isinstance(wide, float) else ""
            lines.append(("to float64", wide))
            lines.append(("TensorFlow to float64", own))
    with tempfile.TemporaryDirectory() as folder:
        engine = os.path.join(folder, "engine")
        built = subprocess.run([tool, "build", f"{place}/exported", "-o", engine, "--tuning", "0"],
                               capture_output=True, text=True)
        if built.returncode:
            lines.append(("engine", built.stderr.strip().splitlines()[-1]))
        else:
            results, failure = run(tool, engine, f"{place}/inputs", f"{place}/outputs")
            lines.append(("engine", failure or verdict(results, f"{place}/outputs")))
    shown = ", ".join(f"{k} {v:.2e}" if isinstance(v, float) else f"{k} {v}" for k, v in lines)
    print(f"{name}: {shown}", flush=True)


def operators(tool, group, chosen):
    good = 0
    for place in sorted(glob.glob(os.path.join(group, "cases", "*"))):
        name = os.path.basename(place)
        if chosen and name not in chosen:
            continue
        results, failure = run(tool, f"{group}/saved_model", f"{place}/inputs", f"{place}/outputs",
                               ["--signature", name])
        value = failure or verdict(results, f"{place}/outputs")
        if isinstance(value, float) and value <= 1e-5:
            good += 1
        else:
            print(f"{name}: {value}", flush=True)
    return good


if __name__ == "__main__":
    needletail, root, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
    total = 0
    for entry in sorted(glob.glob(os.path.join(root, "*"))):
        if os.path.isdir(os.path.join(entry, "cases")):
            total += operators(needletail, entry, wanted)
        elif os.path.isdir(os.path.join(entry, "exported")):
            if not wanted or os.path.basename(entry) in wanted:
                network(needletail, entry)
    print(f"{total} operator cases within 1e-5")
