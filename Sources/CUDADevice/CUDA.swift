import CUDADriver
package import CUDASource
package import DeviceInterface
import KernelModel
package import ProgramModel

/// An NVIDIA GPU.
package final class CUDA: Device {
  let gpu: GPU
  let store: KernelStore
  package let properties: GPUProperties
  let matrices = OpenedLibrary<MatrixLibrary>()
  let convolutions = OpenedLibrary<ConvolutionLibrary>()

  /// - Throws: `DeviceError` where there is no driver, an old driver, no such GPU, or a GPU before Ampere.
  package init(index: Int) throws(DeviceError) {
    do {
      gpu = try GPU(try Driver(), index: index)
      var properties = try GPUProperties(gpu)
      let newestMajor = gpu.driver.version / 1000
      properties.hasMatrixLibrary = MatrixLibrary.path(newestMajor: newestMajor) != nil
      properties.hasConvolutionLibrary = ConvolutionLibrary.path(newestMajor: newestMajor) != nil
      self.properties = properties
    } catch { throw DeviceError(error.description) }
    guard properties.architecture >= 80 else {
      throw DeviceError(
        "GPU \(index) (\(gpu.name)) has compute capability \(properties.architecture / 10)."
          + "\(properties.architecture % 10); 8.0 (Ampere) or newer is needed")
    }
    store = KernelStore(gpu, architecture: properties.compilerArchitecture)
  }

  /// GPUs that the driver sees.
  package static func count() throws(DeviceError) -> Int {
    do { return try Driver().gpuCount } catch { throw DeviceError(error.description) }
  }

  package var name: String { "cuda:\(gpu.index)" }
  package var summary: String {
    "\(gpu.name), sm_\(properties.architecture), \(properties.multiprocessors) multiprocessors, "
      + "\(gpu.memoryBytes >> 30) GiB, driver for CUDA \(Driver.name(gpu.driver.version))"
  }
  package var deviceClass: String { "cuda/sm_\(properties.architecture)/\(gpu.name)" }

  package var joinsSums: Bool { true }

  package func tactics(for step: Step, in program: Program) -> [Tactic] {
    let found = candidates(step, program).map { Tactic($0.name) }
    return found.isEmpty ? [Self.host] : found
  }

  package func estimate(_ tactic: Tactic, for step: Step, in program: Program) -> Double {
    let request = request(step, program)
    return CUDATacticCatalog.tactic(named: tactic.name, for: request)?.estimate(request) ?? 1
  }

  package func guesses(
    for step: Step, in program: Program
  ) -> [(tactic: Tactic, seconds: Double)] {
    let request = request(step, program)
    let found = CUDATacticCatalog.tactics(for: request)
    return found.isEmpty
      ? [(Self.host, 1)] : found.map { (Tactic($0.name), $0.estimate(request)) }
  }

  package func supports(_ tactic: Tactic, for step: Step, in program: Program) -> Bool {
    let request = request(step, program)
    return CUDATacticCatalog.tactic(named: tactic.name, for: request) != nil
      || tactic == Self.host && CUDATacticCatalog.tactics(for: request).isEmpty
  }

  package var hostTactic: Tactic? { Self.host }
  package var isFasterInSixteenBits: Bool { true }
  package var timesWholeRuns: Bool { true }

  package func workspaceBytes(
    of tactic: Tactic, for step: Step, in program: Program
  ) throws(DeviceError) -> Int {
    // One that has no plan fails when it is used.
    (try? plan(tactic, step, program))?.workspaceBytes ?? 0
  }

  package func adopt(code: [String: [UInt8]]) { store.adopt(code) }

  package func load(
    _ program: Program, tactics: [Tactic], options: LoadOptions
  ) throws(DeviceError) -> any Executable {
    do {
      return try CUDAExecutable(program, device: self, tactics: tactics, options: options)
    } catch {
      throw DeviceError(error.description)
    }
  }

  package func measure(
    _ tactic: Tactic, for step: Step, in program: Program, budget: MeasurementBudget
  ) throws(DeviceError) -> Double {
    do {
      return try StepMeasurement(tactic, step, program, device: self).median(budget)
    } catch {
      throw DeviceError("step '\(step.name)', tactic '\(tactic.name)': \(error.description)")
    }
  }

  package func prepare(
    _ candidates: [(tactic: Tactic, step: Step)], in program: Program
  ) throws(DeviceError) -> (any Preparation)? {
    do { try store.openCompiler() } catch { throw DeviceError(error.description) }
    let compilation = CandidateCompilation(candidates, in: program, device: self)
    compilation.start()
    return compilation
  }

  /// The tactic of steps that the host computes.
  static let host = Tactic("host")

  func request(_ step: Step, _ program: Program) -> CUDARequest {
    CUDARequest(step: step, in: program, gpu: properties)
  }

  private func candidates(_ step: Step, _ program: Program) -> [any CUDATactic] {
    CUDATacticCatalog.tactics(for: request(step, program))
  }

  /// The named tactic, or the first; nil for a step of the host.
  func tactic(_ wanted: Tactic?, _ step: Step, _ program: Program) -> (any CUDATactic)? {
    guard wanted != Self.host else { return nil }
    let named = wanted.flatMap {
      CUDATacticCatalog.tactic(named: $0.name, for: request(step, program))
    }
    return named ?? candidates(step, program).first
  }

  /// - Returns: nil for a step of the host.
  func plan(_ tactic: Tactic, _ step: Step, _ program: Program) throws(CUDAError) -> StepPlan? {
    guard let found = self.tactic(tactic, step, program) else { return nil }
    return try plan(found, step, program)
  }

  func plan(
    _ tactic: any CUDATactic, _ step: Step, _ program: Program, prefersBackward: Bool = false
  ) throws(CUDAError) -> StepPlan {
    let plan: StepPlan
    var request = request(step, program)
    request.prefersBackward = prefersBackward
    do { plan = try tactic.plan(request) } catch {
      throw CUDAError(
        .compilation, "step '\(step.name)', tactic '\(tactic.name)': \(error.description)")
    }
    for launch in plan.preparation + plan.launches {
      guard launch.grid.isValid, (1...1024).contains(launch.threads),
        launch.sharedBytes <= properties.sharedBytesPerBlock
      else {
        throw CUDAError(
          .compilation,
          "step '\(step.name)', tactic '\(tactic.name)': a grid of \(launch.grid.x) x \(launch.grid.y) x "
            + "\(launch.grid.z) blocks of \(launch.threads) threads and \(launch.sharedBytes) bytes is too large"
        )
      }
    }
    return plan
  }
}

extension GPUProperties {
  init(_ gpu: GPU) throws(CUDAError) {
    let architecture =
      try gpu.attribute(.architectureMajor) * 10 + gpu.attribute(.architectureMinor)
    let multiprocessors = try gpu.attribute(.multiprocessors)
    let clock = Double(try gpu.attribute(.clockKilohertz)) * 1e3
    let memoryClock = Double((try? gpu.attribute(.memoryClockKilohertz)) ?? 0) * 1e3
    let bus = Double(try gpu.attribute(.memoryBusBits)) / 8
    let known: GPUProperties = architecture >= 90 ? .h200 : .a100
    let lanes = architecture == 80 ? 64.0 : 128.0
    let cycles = clock * Double(multiprocessors)
    self.init(
      architecture: architecture, multiprocessors: multiprocessors,
      sharedBytesPerBlock: try gpu.attribute(.sharedBytesPerBlock),
      sharedBytesPerMultiprocessor: try gpu.attribute(.sharedBytesPerMultiprocessor),
      cacheBytes: try gpu.attribute(.cacheBytes),
      // Two transfers a cycle, of which about nine tenths are reached.
      memoryBandwidth: memoryClock > 0 ? 2 * memoryClock * bus * 0.9 : known.memoryBandwidth,
      scalarMultiplyAdds: lanes * cycles * 0.8,
      matrixMultiplyAdds: known.matrixMultiplyAdds / Double(known.multiprocessors)
        * Double(multiprocessors))
  }
}
