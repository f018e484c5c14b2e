import CPUKernelInterface
import KernelModel
import ProgramModel

/// Convolutions and matrix products of 8-bit integers.
enum IntegerTactics {
  @Sendable static func candidates(_ request: TacticRequest) -> [any CPUTactic] {
    guard let work = IntegerWork(request) else { return [] }
    var result: [IntegerTactic] = []
    for blocking in IntegerTactic.Blocking.allCases {
      for index in work.kernels.variants.indices {
        result.append(IntegerTactic(work: work, variant: index, blocking: blocking))
      }
    }
    let preferred = result.min { $0.estimate(request) < $1.estimate(request) }
    guard let preferred else { return [] }
    let depthwise = [true, false].compactMap { takesQuads in
      work.depthwisePlan(takesQuads: takesQuads).map {
        IntegerDepthwiseTactic(work: work, plan: $0, takesQuads: takesQuads)
      }
    }
    if !depthwise.isEmpty { return depthwise + [preferred] }
    return [preferred] + result.filter { $0.name != preferred.name }
  }
}

/// A contraction of bytes with one register tile and one blocking.
struct IntegerTactic: CPUTactic {
  enum Blocking: String, CaseIterable {
    case preferred
    /// Panels of weights in the inner loop, so that the input stays cached.
    case inputStays = "input stays"
    /// Half and twice the pixels of a task.
    case fewerPixels = "fewer pixels"
    case morePixels = "more pixels"

    /// How much longer one that is not preferred is expected to take.
    var penalty: Double { self == .preferred ? 1 : 1.04 }

    func adjusted(_ preferred: IntegerBlocking) -> IntegerBlocking {
      var result = preferred
      switch self {
      case .preferred: break
      case .inputStays: result.panelsOuter.toggle()
      case .fewerPixels: result.pixels = max(1, preferred.pixels / 2)
      case .morePixels: result.pixels = preferred.pixels * 2
      }
      return result
    }
  }

  let work: IntegerWork
  let variant: Int
  let blocking: Blocking

  var name: String {
    let tile = "integer tile \(work.kernels.variants[variant].name)\(work.suffix)"
    return blocking == .preferred ? tile : "\(tile), \(blocking.rawValue)"
  }

  func estimate(_ request: TacticRequest) -> Double {
    let step = request.step
    let tile = work.kernels.variants[variant]
    let width = Double(work.kernels.vectorWidth)
    // Loads of weights and broadcasts of inputs against products of one step of the reduction.
    let vectors = Double(tile.columns) / width
    let intensity = Double(tile.rows) * vectors / (Double(tile.rows) + vectors)
    let efficiency = min(0.9, 0.36 * intensity)
    let products = step.multiplyAdds * tile.padding(rows: work.rows, columns: work.columns)
    let rate = width * work.kernels.productsPerCycle * tile.speed * 2.8e9 * efficiency
    return blocking.penalty * products / rate + step.integerResultSeconds(width: width)
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let (weights, planes) = work.weights(request)
    let plan: IntegerPlan
    do {
      let preferred = try work.plan(variant: variant, blocking: nil, planes: planes)
      plan =
        blocking == .preferred
        ? preferred
        : try work.plan(
          variant: variant, blocking: blocking.adjusted(preferred.blocking), planes: planes)
    } catch {
      throw CPUTacticError("the contraction cannot be planned: \(error)")
    }
    return try work.prepared(plan, weights: weights)
  }
}

/// A depthwise convolution of bytes.
struct IntegerDepthwiseTactic: CPUTactic {
  let work: IntegerWork
  let plan: IntegerDepthwisePlan
  /// Whether four rows of the window are summed at a time.
  let takesQuads: Bool

  var name: String { "integer depthwise\(takesQuads ? " by quads" : "")\(work.suffix)" }

  func estimate(_ request: TacticRequest) -> Double {
    let step = request.step
    let width = Double(work.kernels.vectorWidth)
    let results = Double(step.outputs[0].elementCount) * 6e-9 / width
    // Quads come in whole registers of bytes.
    let channels = Double(step.outputs[0].shape[1])
    let padded = takesQuads ? (channels / (4 * width)).rounded(.up) * 4 * width : channels
    let rate = width * (takesQuads ? 3 : 1.5) * 1e9
    let products = step.multiplyAdds * (padded / channels) / rate
    return products + results + step.trafficBytes / 12e9 + 1e-6
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    try work.prepared(plan, weights: work.weights(request).address)
  }
}
