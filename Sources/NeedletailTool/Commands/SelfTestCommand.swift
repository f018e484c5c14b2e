import ArgumentParser
import CUDADevice
import DeviceInterface
import DeviceSelfTest
import Foundation
import Needletail

struct SelfTestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "selftest",
    abstract: "Check every kernel of a device against the reference interpreter.",
    discussion: """
      Random shapes, types and memory layouts; every way that the device has to compute each of them; \
      outputs and unused memory are poisoned first. The status is 1 where anything failed.

      needletail selftest --device cuda:0
      needletail selftest --device cuda:0 --family convolution --cases 200
      needletail selftest --device cuda:0 --provoke-fault
      """)

  @Option(help: "What to check: cpu, cuda:0.")
  var device = "cpu"

  @Option(help: "Threads of the CPU.")
  var threads: Int?

  @Option(help: "Kernels of the CPU: baseline, avx2, avx512, avx512_vnni, avx512_amx.")
  var instructionSet: String?

  @Option(help: "Only families of cases whose name contains this; repeatable.")
  var family: [String] = []

  @Option(help: "Only tactics whose name contains this; repeatable.")
  var tactic: [String] = []

  @Option(help: "Cases of each family.")
  var cases = 40

  @Option(help: "The first case; the same number gives the same case.")
  var first = 0

  @Option(help: "Failures to show.")
  var show = 20

  @Flag(
    help:
      "Let a kernel of a GPU fail on purpose, and check that it is reported and the CPU still works."
  )
  var provokeFault = false

  @Flag(help: "Write one JSON value to standard output and nothing else.")
  var json = false

  func validate() throws {
    guard cases > 0 else { throw ValidationError("--cases must be at least 1, not \(cases)") }
    guard first >= 0 else { throw ValidationError("--first must not be negative") }
  }

  func run() throws {
    let opened = try Devices.open(
      device, threads: threads, instructionSet: instructionSet)
    if provokeFault { return try checkFault(opened) }
    guard let runner = opened as? any StepRunner else {
      throw NeedletailError(.device, "device '\(device)' has no self-test")
    }
    let display = json ? nil : ProgressDisplay()
    var report = Report(device: opened.summary)
    if family.isEmpty {
      report.graphGapMicroseconds = try (opened as? CUDA).map { try $0.graphGapSeconds() * 1e6 }
    }
    try SelfTest.run(
      family, tactics: tactic, first: first, count: cases, on: runner
    ) { outcome in
      report.add(outcome)
      if let failure = outcome.failure, !json, report.failed <= show {
        Output.line(
          "FAILED \(outcome.family) \(outcome.seed), '\(outcome.tactic)': \(failure) in \(outcome.problem)"
        )
      }
    } progress: {
      display?.show("self-test", fraction: $0)
    }
    if opened is CUDA, family.isEmpty {
      report.checkDeviceTensors(failure: try DeviceTensorCheck.failure(on: device))
    }
    if json { try Output.json(report) } else { report.show() }
    if report.failed > 0 || report.deviceTensorsAgree == false { throw ExitCode.failure }
  }

  /// A GPU with a failed kernel is lost to the process; all else must go on.
  private func checkFault(_ opened: any Device) throws {
    guard let gpu = opened as? CUDA else {
      throw ValidationError("--provoke-fault needs a GPU: --device cuda:0")
    }
    guard let error = try gpu.provokeFault() else {
      throw NeedletailError(.device, "a kernel wrote where no memory is, and nothing was reported")
    }
    if !json { Output.line("reported: \(error)") }
    var report = Report(device: "then on the CPU")
    guard let cpu = try Devices.open("cpu", threads: threads) as? any StepRunner else { return }
    try SelfTest.run(family, first: first, count: min(cases, 2), on: cpu) { outcome in
      report.add(outcome)
    } progress: { _ in
    }
    if json {
      try Output.json(FaultReport(reported: error, cpu: report))
    } else {
      report.show()
    }
    if report.failed > 0 { throw ExitCode.failure }
  }

  private struct FaultReport: Encodable {
    /// What a user sees of a kernel's fault.
    var reported: String
    /// The self-test of the CPU in the same process, afterwards.
    var cpu: Report
  }

  private struct Report: Encodable {
    struct Count: Encodable {
      var passed = 0
      var failed = 0
    }
    var device: String
    var passed = 0
    var failed = 0
    /// Cases that libraries have no way to compute.
    var declined = 0
    /// From one kernel to the next in a graph.
    var graphGapMicroseconds: Double?
    /// Whether tensors that stay on the GPU give what copied ones do; nil where that was not asked.
    var deviceTensorsAgree: Bool?
    var deviceTensorFailure: String?
    var families: [String: Count] = [:]
    var tactics: [String: Count] = [:]

    init(device: String) { self.device = device }

    mutating func checkDeviceTensors(failure: String?) {
      deviceTensorsAgree = failure == nil
      deviceTensorFailure = failure
    }

    mutating func add(_ outcome: SelfTest.Outcome) {
      if outcome.isDeclined {
        declined += 1
      } else if outcome.failure == nil {
        passed += 1
        families[outcome.family, default: Count()].passed += 1
        tactics[outcome.tactic, default: Count()].passed += 1
      } else {
        failed += 1
        families[outcome.family, default: Count()].failed += 1
        tactics[outcome.tactic, default: Count()].failed += 1
      }
    }

    func show() {
      Output.line(device)
      Output.table(
        [["family", "passed", "failed"]]
          + families.sorted { $0.key < $1.key }.map {
            [$0.key, "\($0.value.passed)", "\($0.value.failed)"]
          })
      Output.line()
      if let gap = graphGapMicroseconds {
        Output.line(String(format: "kernel to kernel in a graph: %.2f us", gap))
      }
      if deviceTensorsAgree != nil {
        Output.line("tensors that stay on the GPU: \(deviceTensorFailure ?? "as through the host")")
      }
      if declined > 0 { Output.line("declined by libraries: \(declined)") }
      Output.line("\(tactics.count) tactics: \(passed) passed, \(failed) failed")
    }
  }
}
