import CUDASource
import DeviceInterface
import DeviceSelfTest
import Foundation
import ProgramModel
import Synchronization
import TensorModel

/// Runs kernels on the host: compiles their text with the host's C++ compiler and `emulator.hpp`.
final class KernelEmulator: StepRunner {
  private let gpu: GPUProperties
  private let folder: URL
  private let header: URL
  private let compiled = Mutex<[KernelSource: LoadedKernel]>([:])

  private typealias Entry = @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> Void
  private typealias Emulate =
    @convention(c) (
      UnsafeRawPointer, UnsafeMutablePointer<UnsafeMutableRawPointer?>, Int32, Int32, Int32, Int32
    ) -> Int32

  private struct LoadedKernel: @unchecked Sendable {
    var call: UnsafeMutableRawPointer
    var emulate: UnsafeMutableRawPointer
  }

  init(_ gpu: GPUProperties = .h200) throws {
    self.gpu = gpu
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "needletail-emulator-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    header = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Emulator/emulator.hpp")
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  static var isAvailable: Bool { compiler != nil }

  private static let compiler: String? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/clang++" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }()

  func tactics(for step: Step, in program: Program) -> [Tactic] {
    candidates(step, program).map { Tactic($0.name) }
  }

  private func candidates(_ step: Step, _ program: Program) -> [any CUDATactic] {
    // Hopper's own instructions are not emulated.
    CUDATacticCatalog.tactics(for: CUDARequest(step: step, in: program, gpu: gpu)).filter {
      !$0.name.hasPrefix("wgmma")
    }
  }

  func run(_ tactic: Tactic, _ program: Program, memory: [TensorStorage]) throws(DeviceError) {
    let step = program.steps[0]
    let request = CUDARequest(step: step, in: program, gpu: gpu)
    guard let chosen = candidates(step, program).first(where: { $0.name == tactic.name }) else {
      throw DeviceError("no tactic '\(tactic.name)'")
    }
    let plan: StepPlan
    do { plan = try chosen.plan(request) } catch { throw DeviceError(error.description) }
    var prepared: [TensorStorage] = []
    for bytes in plan.prepared { prepared.append(try Self.poisoned(bytes)) }
    let workspace = try Self.poisoned(plan.workspaceBytes)
    workspace.base.initializeMemory(
      as: UInt8.self, repeating: 0, count: plan.zeroedWorkspaceBytes)
    for launch in plan.preparation + plan.launches {
      guard launch.grid.isValid, (1...1024).contains(launch.threads),
        launch.sharedBytes <= gpu.sharedBytesPerBlock
      else { throw DeviceError("launch \(launch.grid), \(launch.threads) threads is not valid") }
      var arguments: [UnsafeMutableRawPointer?] = launch.arguments.map { argument in
        switch argument {
        case .input(let index):
          step.inputs[index].map { memory[$0.buffer.index].base + $0.byteOffset }
        case .output(let index):
          memory[step.outputs[index].buffer.index].base + step.outputs[index].byteOffset
        case .workspace(let offset): workspace.base + offset
        case .prepared(let index): prepared[index].base
        // The copy engine is not emulated.
        case .tensorMap: nil
        }
      }
      try run(launch.source, grid: launch.grid, threads: launch.threads, &arguments)
    }
  }

  /// Runs a kernel.
  func run(
    _ source: KernelSource, grid: GridSize, threads: Int,
    _ arguments: inout [UnsafeMutableRawPointer?]
  ) throws(DeviceError) {
    let kernel = try load(source, argumentCount: arguments.count)
    let emulate = unsafeBitCast(kernel.emulate, to: Emulate.self)
    let status = emulate(
      kernel.call, &arguments, Int32(grid.x), Int32(grid.y), Int32(grid.z), Int32(threads))
    guard status == 0 else {
      throw DeviceError("kernel '\(source.entry)': threads wait for ever at a barrier")
    }
  }

  private static func poisoned(_ bytes: Int) throws(DeviceError) -> TensorStorage {
    guard let storage = TensorStorage(byteCount: bytes) else {
      throw DeviceError("no memory for \(bytes) bytes")
    }
    storage.base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
    return storage
  }

  private func load(_ source: KernelSource, argumentCount: Int) throws(DeviceError) -> LoadedKernel
  {
    if let known = compiled.withLock({ $0[source] }) { return known }
    let name = UUID().uuidString
    let text = folder.appendingPathComponent("\(name).cpp")
    let library = folder.appendingPathComponent("\(name).so")
    let parameters = (0..<argumentCount).map { _ in "void*" }.joined(separator: ", ")
    let arguments = (0..<argumentCount).map { "a[\($0)]" }.joined(separator: ", ")
    let program = """
      #include "\(header.path)"
      \(Prelude.portable)
      \(source.body)
      extern "C" void call_kernel(void** a) { ((void (*)(\(parameters)))(void*)\(source.entry))(\(arguments)); }
      """
    do {
      try program.write(to: text, atomically: true, encoding: .utf8)
      try Self.compile(text, to: library)
    } catch {
      throw DeviceError("kernel '\(source.entry)' does not compile: \(error)\n\(source.body)")
    }
    guard let handle = dlopen(library.path, RTLD_NOW | RTLD_LOCAL),
      let call = dlsym(handle, "call_kernel"), let emulate = dlsym(handle, "emulate")
    else { throw DeviceError("kernel '\(source.entry)' cannot be loaded") }
    let kernel = LoadedKernel(call: call, emulate: emulate)
    compiled.withLock { $0[source] = kernel }
    return kernel
  }

  private static func compile(_ text: URL, to library: URL) throws {
    guard let compiler else { throw SelfTestError("no clang++") }
    let process = Process()
    let errors = Pipe()
    process.executableURL = URL(fileURLWithPath: compiler)
    process.arguments = [
      "-std=c++17", "-O1", "-mf16c", "-ffp-contract=off", "-fPIC", "-shared", "-w", text.path, "-o",
      library.path,
    ]
    process.standardError = errors
    try process.run()
    let output = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw SelfTestError(String(decoding: output, as: UTF8.self))
    }
  }
}
