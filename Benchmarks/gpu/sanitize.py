#!/usr/bin/env python3
"""compute-sanitizer on every family of the self-test, a process for each, seven at a time.

    python3 sanitize.py ./needletail racecheck [seconds]
"""
import subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor

tool, check = sys.argv[1:3]
end = time.time() + (float(sys.argv[3]) if len(sys.argv) > 3 else 600)
names = subprocess.run([tool, "selftest", "--family", "?"], capture_output=True, text=True).stderr
families = [name.strip() for name in names.split("there are:")[-1].strip().split(",")]

def run(family):
    began = time.time()
    command = ["compute-sanitizer", "--tool", check, tool, "selftest", "--device", "cuda:0", "--cases", "1", "--family", family]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(end - began, 1))
    except subprocess.TimeoutExpired:
        return family, False, "did not end", time.time() - began
    lines = (done.stdout + done.stderr).splitlines()
    told = [line for line in lines if "SUMMARY" in line or " passed, " in line]
    isClean = done.returncode == 0 and any("SUMMARY: 0" in line for line in told)
    return family, isClean, " | ".join(told) or f"status {done.returncode}", time.time() - began

with ThreadPoolExecutor(7) as pool:
    results = []
    for family, isClean, told, seconds in pool.map(run, families):
        results.append(isClean)
        print(f"{family:40} {seconds:4.0f} s  {'clean' if isClean else 'NOT CLEAN'}  {told}", flush=True)
print(f"{check}: {sum(results)} of {len(results)} families clean")
sys.exit(0 if all(results) else 1)
