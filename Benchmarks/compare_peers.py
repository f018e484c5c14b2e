#!/usr/bin/env python3
"""Times `needletail bench` and, in turns with it, onnxruntime and OpenVINO on the same ONNX file.

    pip install onnxruntime openvino onnx numpy
    python3 Benchmarks/compare_peers.py .build/release/needletail model.onnx THREADS ROUNDS

Prints the median over the rounds of each round's median, in milliseconds, batch 1, sequences of 128.
"""
import json, statistics, subprocess, sys, tempfile, time
import numpy as np, onnx, onnxruntime, openvino

SECONDS = 2
TYPES = {1: np.float32, 6: np.int32, 7: np.int64}

def inputs_of(path):
    model = onnx.load(path, load_external_data=False)
    known = {tensor.name for tensor in model.graph.initializer}
    feeds, generator = {}, np.random.default_rng(0)
    for value in model.graph.input:
        if value.name in known: continue
        tensor = value.type.tensor_type
        shape = [d.dim_value if d.dim_value > 0 else (1 if axis == 0 else 128) for axis, d in enumerate(tensor.shape.dim)]
        kind = TYPES[tensor.elem_type]
        feeds[value.name] = generator.standard_normal(shape).astype(kind) if kind == np.float32 else np.ones(shape, kind)
    return feeds

def median_ms(run):
    for _ in range(3): run()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter(); run(); times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)

def main():
    program, path, threads, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    feeds = inputs_of(path)
    options = onnxruntime.SessionOptions(); options.intra_op_num_threads = threads; options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    core = openvino.Core(); model = core.read_model(path)
    model.reshape({name: list(value.shape) for name, value in feeds.items()})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    cache = tempfile.NamedTemporaryFile(suffix=".json", delete=True).name
    command = [program, "bench", path, "--threads", str(threads), "--duration", str(SECONDS), "--json", "--timing-cache", cache]
    for name, value in feeds.items(): command += ["--shapes", f"{name}:{'x'.join(map(str, value.shape))}"]
    rows = {}
    for _ in range(rounds):
        for result in json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["results"]:
            rows.setdefault(result["name"], []).append(result["median_ms"])
        rows.setdefault("onnxruntime", []).append(median_ms(lambda: session.run(None, feeds)))
        rows.setdefault("openvino", []).append(median_ms(lambda: request.infer(feeds)))
    for name, values in rows.items():
        print(f"{name:12s} {statistics.median(values):9.3f} ms   {min(values):9.3f} to {max(values):9.3f}")

main()
