#!/usr/bin/env python3
"""Times INT8 engines and, in turns with them, onnxruntime's statically quantised model of the same ONNX file.

    pip install onnxruntime onnx numpy
    python3 Benchmarks/compare_int8.py .build/release/needletail model.onnx SAMPLES.npy THREADS ROUNDS

onnxruntime quantises with uint8 activations and int8 weights per channel, from the same samples. Prints the median over
the rounds of each round's median, in milliseconds, batch 1, and the distance of both from FP32 on the first sample.
"""
import json, os, statistics, subprocess, sys, tempfile, time
import numpy as np, onnx, onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

SECONDS = 2

class Samples(CalibrationDataReader):
    def __init__(self, name, array): self.rows = iter([{name: array[i:i + 1]} for i in range(min(len(array), 16))])
    def get_next(self): return next(self.rows, None)

def median_ms(run):
    for _ in range(3): run()
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter(); run(); times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)

def session(path, threads):
    options = onnxruntime.SessionOptions(); options.intra_op_num_threads = threads; options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

def main():
    program, path, samples, threads, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    folder = tempfile.mkdtemp()
    prepared, quantised = os.path.join(folder, "prepared.onnx"), os.path.join(folder, "int8.onnx")
    array = np.load(samples).astype(np.float32)
    quant_pre_process(path, prepared, skip_symbolic_shape=True)
    name = onnxruntime.InferenceSession(prepared).get_inputs()[0].name
    quantize_static(prepared, quantised, Samples(name, array), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    plain, other = session(path, threads), session(quantised, threads)
    engines = {}
    for precision in ("fp32", "int8"):
        engines[precision] = os.path.join(folder, precision + ".engine")
        subprocess.run([program, "build", path, "-o", engines[precision], "--precision", precision, "--threads", str(threads),
                        "--calibration", samples], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    feeds = {name: array[:1]}
    times = {}
    for _ in range(rounds):
        for precision, engine in engines.items():
            out = subprocess.run([program, "bench", engine, "--threads", str(threads), "--duration", str(SECONDS), "--json"],
                                 check=True, capture_output=True, text=True).stdout
            results = json.loads(out)["results"]
            times.setdefault("needletail " + precision, []).append(results[0]["medianMs"] if "medianMs" in results[0] else results[0]["median_ms"])
        times.setdefault("onnxruntime fp32", []).append(median_ms(lambda: plain.run(None, feeds)))
        times.setdefault("onnxruntime int8", []).append(median_ms(lambda: other.run(None, feeds)))
    for peer, values in times.items(): print(f"{peer:18} {statistics.median(values):9.3f} ms")
    exact = plain.run(None, feeds)[0]
    np.save(os.path.join(folder, "x.npy"), array[:1])
    subprocess.run([program, "run", engines["int8"], "--input", os.path.join(folder, "x.npy"), "--output", os.path.join(folder, "y.npy")],
                   check=True, stdout=subprocess.DEVNULL)
    for peer, found in (("needletail", np.load(os.path.join(folder, "y.npy"))), ("onnxruntime", other.run(None, feeds)[0])):
        print(f"{peer} int8: error {np.linalg.norm(found - exact) / np.linalg.norm(exact):.4f}")

main()
