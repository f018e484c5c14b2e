#!/usr/bin/env python3
"""Self-test, models, benchmarks and peers on a GPU, in one go; the table comes last.

    python3 .gpu/run.py [--skip selftest models bench peers] [--models resnet50 ...] [--batch 1 8 128]
"""
import argparse, json, os, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.join(HERE, "needletail")
INPUTS = {
    "resnet50": "input:{n}x3x224x224", "mobilenet_v2": "input:{n}x3x224x224", "vit_b_16": "input:{n}x3x224x224",
    "bert_base": "input_ids:{n}x128 attention_mask:{n}x128", "bert_minilm": "input_ids:{n}x128 attention_mask:{n}x128",
}
ZOO = ["tiny_cnn", "tiny_transformer", "tiny_vit", "resnet18", "resnet50", "mobilenet_v2", "squeezenet", "inception", "vgg16",
       "bert_base", "bert_minilm", "vit_b_16"]
BOUNDS = {"fp32": 1e-5, "tf32": 1e-3, "fp16": 3e-3}

def call(arguments, limit=600):
    began = time.time()
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=limit)
        return done.returncode, done.stdout, done.stderr, time.time() - began
    except subprocess.TimeoutExpired:
        return 124, "", f"took longer than {limit} s", time.time() - began

def shapes(model, batch):
    return [word for shape in INPUTS.get(model, "").format(n=batch).split() for word in ("--shapes", shape)]

def selftest(cases):
    status, out, err, seconds = call([TOOL, "selftest", "--device", "cuda:0", "--cases", str(cases)])
    print(out[-6000:], err[-2000:], f"selftest: status {status}, {seconds:.0f} s", flush=True)

OUTPUTS = {"bert_base": ["last_hidden_state", "pooler_output"], "bert_minilm": ["last_hidden_state"],
           "tiny_transformer": ["last_hidden_state", "pooler_output"]}
SMALL = ["tiny_cnn", "tiny_transformer", "tiny_vit"]

def compared(name, path, precision, seed):
    """Against the reference interpreter; a stored model on its stored inputs."""
    folder = os.path.dirname(path)
    inputs = [w for f in sorted(os.listdir(folder)) if f.startswith("input_") for w in ("--input", f"{f[6:-4]}={folder}/{f}")] if folder else []
    status, out, err, seconds = call([TOOL, "compare", path, "--device", "cuda:0", "--precision", precision, "--json",
                                      "--tolerance", str(BOUNDS[precision]), "--seed", seed] + inputs)
    try:
        return max(l["relativeError"] for l in json.loads(out)["outputs"]), ""
    except Exception:
        return float("nan"), (err.strip() or out.strip())[-300:]

def against_cpu(name, precision, seed, cache={}):
    """Against the CPU device in FP32, which agrees with the reference interpreter to 1e-6."""
    import numpy
    outputs = OUTPUTS.get(name, ["output"])
    def run(device, precision):
        files = {o: os.path.join("/tmp", f"{name}-{device[:4]}-{o}.npy") for o in outputs}
        words = [w for o, f in files.items() for w in ("--output", f"{o}={f}")]
        status, out, err, _ = call([TOOL, "run", name, "--device", device, "--precision", precision, "--seed", seed, "--tuning", "1"]
                                   + shapes(name, 1) + words)
        if status: raise RuntimeError((err.strip() or out.strip())[-300:])
        return [numpy.load(f).astype("f8") for f in files.values()]
    try:
        if (name, seed) not in cache: cache[(name, seed)] = run("cpu", "fp32")
        return max(float(numpy.linalg.norm(a - b) / numpy.linalg.norm(b))
                   for a, b in zip(run("cuda:0", precision), cache[(name, seed)])), ""
    except Exception as error:
        return float("nan"), str(error)

def models(names, precisions, seeds):
    """The worst error of so many inputs, whose seeds begin with the time."""
    first = int(time.time())
    folder = os.path.join(HERE, "models")
    stored = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names + stored:
        for precision in precisions:
            began = time.time()
            errors, message = [], ""
            for seed in range(first, first + (1 if name in stored else seeds)):
                if name in stored: error, note = compared(name, os.path.join(folder, name, "model.onnx"), precision, str(seed))
                elif name in SMALL: error, note = compared(name, name, precision, str(seed))
                else: error, note = against_cpu(name, precision, str(seed))
                errors.append(error)
                message = message or note
            verdict = message or ("ok" if max(errors) <= BOUNDS[precision] else "BEYOND")
            print("model %-22s %-5s error %.2e  %s  %.1f s  (%s)" % (
                name, precision, max(errors), verdict, time.time() - began, " ".join("%.1e" % e for e in errors)), flush=True)
    images = os.path.join(HERE, "cifar10")
    for name in ("cifar_resnet20", "cifar_inception"):
        if name not in stored or not os.path.isdir(images): continue
        for precision in precisions:
            status, out, err, seconds = call([TOOL, "evaluate", os.path.join(folder, name, "model.onnx"), "--device", "cuda:0",
                                              "--precision", precision, "--images", os.path.join(images, "test_images.npy"),
                                              "--labels", os.path.join(images, "test_labels.npy")])
            print(f"top-1 {name} {precision}: {(out.strip() or err.strip())[-200:]}", flush=True)

def bench(names, batches, precisions, extra):
    results = {}
    for name in names:
        for batch in batches:
            # One run measures native, FP32 and the asked precision in turns.
            for precision in [p for p in precisions if p != "fp32"] or ["fp32"]:
                status, out, err, seconds = call([TOOL, "bench", name, "--device", "cuda:0", "--precision", precision, "--json",
                                                  "--duration", "1"] + shapes(name, batch) + extra)
                try:
                    report = json.loads(out)
                except Exception:
                    print(f"bench {name} {batch} {precision}: {(err.strip() or out.strip())[-300:]}", flush=True)
                    continue
                for column in report["results"]:
                    key = (name, batch, column["name"])
                    results[key] = column
                    print("bench %-13s %4d %-8s device %8.4f ms  host %8.4f ms  build %6.1f s" % (
                        name, batch, column["name"], column.get("device_median_ms") or float("nan"), column["median_ms"],
                        column["build_s"]), flush=True)
    return results

def peers(names, batches, precisions, modes):
    results = {}
    for name in names:
        status, out, err, seconds = call([sys.executable, os.path.join(HERE, "gpu_torch.py"), "--model", name, "--batch"]
                                         + [str(b) for b in batches] + ["--precision"] + precisions + ["--modes"] + modes)
        for line in out.splitlines():
            try:
                row = json.loads(line)
            except Exception:
                continue
            print("peer", line, flush=True)
            if "median_ms" in row:
                results[(name, row["batch"], row["precision"], row["mode"])] = row["median_ms"]
    return results

def main():
    p = argparse.ArgumentParser()
    p.add_argument("--skip", nargs="*", default=[])
    p.add_argument("--models", nargs="*", default=["resnet50", "mobilenet_v2", "bert_base", "vit_b_16"])
    p.add_argument("--batch", nargs="*", type=int, default=[1, 8, 128])
    p.add_argument("--precision", nargs="*", default=["fp16", "fp32"])
    p.add_argument("--modes", nargs="*", default=["graph"])
    p.add_argument("--cases", type=int, default=20)
    p.add_argument("--zoo", nargs="*", default=ZOO)
    p.add_argument("--errors", nargs="*", default=["fp32", "tf32", "fp16"])
    p.add_argument("--seeds", type=int, default=1)
    p.add_argument("--tool", nargs="*", default=[])
    p.add_argument("--columns", help="of our own benchmark, such as native,fp16; by default native, fp32 and the precision")
    a = p.parse_args()
    if a.columns: a.tool += ["--modes", a.columns]
    if "selftest" not in a.skip: selftest(a.cases)
    if "models" not in a.skip: models(a.zoo, a.errors, a.seeds)
    ours = bench(a.models, a.batch, a.precision, a.tool) if "bench" not in a.skip else {}
    theirs = peers(a.models, a.batch, a.precision, a.modes) if "peers" not in a.skip else {}
    print("\n%-14s %5s %-5s %10s %10s  %s" % ("model", "batch", "", "ours ms", "native ms", "torch ms (ours is so many times as fast)"))
    for name in a.models:
        for batch in a.batch:
            for precision in a.precision:
                column = ours.get((name, batch, precision))
                native = ours.get((name, batch, "native"))
                if not column: continue
                mine = column.get("device_median_ms") or column["median_ms"]
                other = " ".join("%s %.3f (%.2f)" % (mode, theirs[(name, batch, precision, mode)],
                                                    theirs[(name, batch, precision, mode)] / mine)
                                 for mode in a.modes if (name, batch, precision, mode) in theirs)
                print("%-14s %5d %-5s %10.4f %10.4f  %s" % (
                    name, batch, precision, mine, (native or {}).get("device_median_ms") or float("nan"), other))

main()
