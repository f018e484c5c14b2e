import KernelModel
import ProgramModel
import TensorModel

/// A recurrent layer as one kernel that loops over time: a block for a few sequences of a direction, with
/// their states in shared memory.
///
/// Threads take rows of the recurrent weights, repacked so that neighbours read side by side; weights
/// that fit stay in registers.
struct RecurrenceLoop: CUDATactic {
  let shape: RecurrenceShape
  /// Sequences of a block.
  let sequences: Int
  let weightsAreConstant: Bool

  var name: String { "recurrence loop of \(sequences)" }

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = RecurrenceShape(request.step),
      shape.directions * shape.steps * shape.batch * shape.rows < 1 << 31
    else { return [] }
    let isConstant = request.isConstant.indices.contains(2) && request.isConstant[2]
    let candidates = [1, 2, 4, 8].compactMap { sequences -> RecurrenceLoop? in
      if sequences > 1, sequences / 2 >= shape.batch { return nil }
      let tactic = RecurrenceLoop(
        shape: shape, sequences: sequences, weightsAreConstant: isConstant)
      return tactic.sharedBytes <= request.gpu.sharedBytesPerBlock ? tactic : nil
    }
    return candidates.map { ($0.estimate(request), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  // MARK: - Sizes

  /// Weights that a thread loads together, side by side along the hidden state.
  var length: Int { 16 / shape.r.dataType.byteCount }
  /// Such groups in a row.
  var groups: Int { ceilingQuotient(shape.size, length) }
  /// Threads that share a row, each with some of its groups: as many as are useful, or as still leave
  /// registers for the weights.
  var shares: Int {
    let most = max(min(1024 / shape.rows, 4, groups), 1)
    return (1...most).reversed().first { fitsRegisters(shares: $0) } ?? most
  }
  var groupsPerShare: Int { ceilingQuotient(groups, shares) }
  var threads: Int { min(ceilingQuotient(shape.rows * shares, 32) * 32, 1024) }
  var statePitch: Int { groups * length }
  var unitsPerThread: Int { ceilingQuotient(sequences * shape.size, threads) }

  /// Whether each thread keeps its weights in registers.
  var keepsWeights: Bool { fitsRegisters(shares: shares) }

  private func fitsRegisters(shares: Int) -> Bool {
    let words = ceilingQuotient(groups, shares) * 4
    let threads = ceilingQuotient(shape.rows * shares, 32) * 32
    return !shape.resetsBefore && threads <= 1024 && words <= 128
      && (words + 40 + 2 * sequences) * threads <= 65536
  }

  var sharedBytes: Int {
    let states = sequences * (statePitch * (shape.resetsBefore ? 2 : 1) + shape.size)
    return shape.realBytes * (states + shares * sequences * shape.rows)
  }

  private var packedBytes: Int {
    shape.directions * groups * shape.rows * length * shape.r.dataType.byteCount
  }

  func estimate(_ request: CUDARequest) -> Double {
    let bytes = Double(packedBytes / shape.directions)
    // From registers, the first-level cache, or the second.
    let rate = keepsWeights ? 1e13 : bytes < 180e3 ? 1.5e11 : 0.7e11
    let products = Double(shape.rows * shape.size * sequences) / 1.2e11
    let blocks = ceilingQuotient(shape.batch, sequences) * shape.directions
    let waves = Double(ceilingQuotient(blocks, request.gpu.multiprocessors))
    let phases = shape.resetsBefore ? 2.0 : 1.0
    let step = phases * 0.7e-6 + max(bytes / rate, products)
    return RecurrenceProjection(shape: shape).estimate(request) + request.launchSeconds
      + waves * Double(shape.steps) * step
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    let projected = shape.projectedBytes
    let weights: KernelLaunch.Argument = weightsAreConstant ? .prepared(0) : .workspace(projected)
    let writer = RecurrenceLoopText(tactic: self)
    let pack = KernelLaunch(
      KernelSource(entry: "recurrence_weights", body: writer.packing),
      grid: GridSize(ceilingQuotient(shape.directions * groups * shape.rows * length, 256)),
      threads: 256, arguments: [.input(2), weights])
    let loop = KernelLaunch(
      KernelSource(entry: "recurrence_loop", body: try writer.body()),
      grid: GridSize(ceilingQuotient(shape.batch, sequences), shape.directions), threads: threads,
      sharedBytes: sharedBytes,
      arguments: [weights, .workspace(0)] + shape.loopArguments)
    let projection = RecurrenceProjection(shape: shape).launches(projected: .workspace(0))
    return StepPlan(
      launches: projection + (weightsAreConstant ? [] : [pack]) + [loop],
      workspaceBytes: projected + (weightsAreConstant ? 0 : packedBytes),
      prepared: weightsAreConstant ? [packedBytes] : [],
      preparation: weightsAreConstant ? [pack] : [])
  }
}
