import KernelModel

/// How a persistent kernel divides its work.
struct HopperTile: Hashable, Sendable {
  /// Columns of a tile.
  var columns: Int
  /// Groups of 64 rows that each warpgroup multiplies.
  var blocks: Int
  /// Warpgroups that multiply.
  var groups: Int
  /// Whether warpgroups take turns with whole tiles, one storing while the other multiplies; else they
  /// share each tile.
  var alternates: Bool
  /// Parts of a tile whose further operands are under way.
  var ahead: Int

  /// Room for the barriers.
  private static let barrierBytes = 512
  init(_ rows: Int, _ columns: Int, groups: Int = 2, alternates: Bool = false, ahead: Int = 4) {
    self.columns = columns
    self.ahead = ahead
    self.groups = groups
    self.alternates = alternates
    blocks = rows / 64 / (alternates ? 1 : groups)
  }

  var rows: Int { blocks * 64 * (alternates ? 1 : groups) }
  var threads: Int { 128 * (groups + 1) }
  func stageBytes(_ problem: HopperContraction) -> Int {
    rows * problem.rowLine + columns * problem.columnLine
  }
  /// Registers of a thread that multiplies; of 65536, 128 threads keep 40 each.
  var registers: Int { groups == 2 ? 232 : 152 }

  /// Shared memory beside the stages.
  private func otherBytes(_ epilogue: ContractionEpilogue) -> Int {
    StagedResults(epilogue, self, start: 0, blocks: 1).bytes + Self.barrierBytes
  }

  /// The most stages that fit, up to 8.
  func stages(_ sharedBytes: Int, _ problem: HopperContraction) -> Int {
    min((sharedBytes - otherBytes(problem.contraction.epilogue)) / stageBytes(problem), 8)
  }

  func sharedBytes(_ stages: Int, _ problem: HopperContraction) -> Int {
    stages * stageBytes(problem) + otherBytes(problem.contraction.epilogue)
  }

  /// Whether a thread's registers hold its sums, those of a step beside them where a factor has three parts.
  func holds(_ parts: Int) -> Bool {
    parts < 3 || blocks * columns <= (groups == 2 ? 160 : 96) && (blocks == 1 || columns <= 64)
  }

  static let all: [HopperTile] = [
    HopperTile(128, 256), HopperTile(192, 128, groups: 3), HopperTile(128, 192),
    HopperTile(192, 192, groups: 3), HopperTile(192, 64, groups: 3), HopperTile(192, 96, groups: 3),
    HopperTile(128, 160), HopperTile(64, 160, alternates: true),
    HopperTile(64, 224, alternates: true),
    HopperTile(128, 128), HopperTile(128, 96), HopperTile(128, 64),
    HopperTile(128, 128, alternates: true), HopperTile(64, 256, alternates: true),
    HopperTile(64, 192, alternates: true), HopperTile(128, 96, alternates: true),
    HopperTile(64, 128, alternates: true), HopperTile(128, 64, alternates: true),
    HopperTile(64, 64, alternates: true),
  ]

  /// For epilogues that read as much as there is to multiply, or more: memory answers late.
  static let deep: [HopperTile] = [
    HopperTile(128, 128, alternates: true, ahead: 8),
    HopperTile(64, 256, alternates: true, ahead: 8), HopperTile(128, 256, ahead: 8),
  ]
}

/// What a tile costs: cycles of one multiprocessor.
struct HopperCost {
  static let clock = 1.65e9
  /// Multiply-adds of 16-bit numbers in one cycle, and bytes that come from the cache.
  private static let products = 2048.0 * 0.9
  private static let copies = 56.0

  /// Cycles of one step of the reduction.
  static func step(rows: Int, columns: Int, _ problem: HopperContraction) -> Double {
    // A matrix instruction reads 64 lines of a and all of b from shared memory.
    let reads = Double(rows / 64 * (64 + columns)) * 128 / 128
    // Of numbers in parts, there is half the depth in 128 bytes, and the products of two low parts are left out.
    let rounds = [1, 1.5, 3][problem.contraction.parts - 1]
    let multiply = Double(rows * columns * 128) / 2 / products * rounds
    // Sums of a step are added outside of the matrix units, for which it waits.
    let add = problem.contraction.parts < 3 ? 0 : Double(columns) * 0.5 + 60
    let bytes = rows * problem.rowLine + columns * problem.columnLine
    return max(multiply + add, reads, Double(bytes) / copies)
  }

  /// Cycles that the epilogue of so many elements takes when warps hide each other's waits.
  static func epilogue(_ elements: Int, _ contraction: Contraction) -> Double {
    let operands = Double(contraction.epilogue.operands.count)
    let arithmetic = Double(contraction.epilogue.expression.cost)
    return Double(elements) / 128 * (14 + 3 * operands + arithmetic)
  }

  /// The time of so many cycles, or of the memory traffic beside them.
  static func seconds(_ cycles: Double, _ request: CUDARequest) -> Double {
    let busy = cycles / clock
    let traffic = request.trafficSeconds - request.launchSeconds
    return max(busy, traffic) + 0.15 * min(busy, traffic) + request.launchSeconds
  }
}

extension ScalarExpression {
  /// Instructions that one value takes, roughly.
  var cost: Int {
    switch self {
    case .operand, .constant, .integer, .index: 0
    case .unary(let function, let a):
      a.cost + ([.negate, .absolute, .round].contains(function) ? 1 : 15)
    case .binary(.divide, let a, .constant): a.cost + 7
    case .binary(let function, let a, let b):
      a.cost + b.cost + ([.divide, .power].contains(function) ? 15 : 1)
    case .select(let condition, let a, let b): condition.cost + a.cost + b.cost + 1
    case .cast(let a, _): a.cost + 1
    }
  }
}
