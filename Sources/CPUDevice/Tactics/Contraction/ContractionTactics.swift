import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Convolutions and matrix products by register tiles.
enum ContractionTactics {
  @Sendable static func candidates(_ request: TacticRequest) -> [any CPUTactic] {
    guard let work = ContractionWork(request) else { return [] }
    if work.isDepthwise {
      return [ContractionTactic(work: work, variant: nil, blocking: .preferred)]
    }
    var result: [ContractionTactic] = []
    for index in request.kernels.contraction.variants.indices {
      result.append(ContractionTactic(work: work, variant: index, blocking: .preferred))
    }
    let preferred = result.min { $0.estimate(request) < $1.estimate(request) }
    guard let preferred else { return [] }
    for index in request.kernels.contraction.variants.indices {
      for blocking in ContractionTactic.Blocking.alternatives
      where !(work.widensWeights && blocking == .inputStays) {
        result.append(ContractionTactic(work: work, variant: index, blocking: blocking))
      }
    }
    return [preferred] + WinogradTactic.candidates(work)
      + result.filter { $0.name != preferred.name }
  }
}

/// A contraction with one register tile and one blocking.
struct ContractionTactic: CPUTactic {
  enum Blocking: String, CaseIterable {
    case preferred
    /// Panels of weights in the inner loop, so that the input stays cached.
    case inputStays = "input stays"
    /// Half and twice the pixels of a task.
    case fewerPixels = "fewer pixels"
    case morePixels = "more pixels"
    /// Half the depth of the reduction at a time.
    case shallow

    static var alternatives: [Blocking] { allCases.filter { $0 != .preferred } }
  }

  let work: ContractionWork
  /// Nil for a depthwise convolution.
  let variant: Int?
  let blocking: Blocking

  var name: String {
    guard let variant else { return "depthwise" }
    let tile = "tile \(work.kernels.variants[variant].name)"
    return blocking == .preferred ? tile : "\(tile), \(blocking.rawValue)"
  }

  func estimate(_ request: TacticRequest) -> Double {
    let step = request.step
    let width = Double(work.kernels.vectorWidth)
    let bytes = step.trafficBytes / 12e9
    guard let variant else { return 2 * step.multiplyAdds / (width * 1.5e9) + bytes + 1e-6 }
    let tile = work.kernels.variants[variant]
    let columns = Double(work.columns)
    let padded = (columns / Double(tile.columns)).rounded(.up) * Double(tile.columns)
    let rows = Double(work.rows)
    let paddedRows = (rows / Double(tile.rows)).rounded(.up) * Double(tile.rows)
    // Loads of weights and broadcasts of inputs against multiply-adds of one step of the reduction.
    let vectors = Double(tile.columns) / width
    let intensity = Double(tile.rows) * vectors / (Double(tile.rows) + vectors)
    let efficiency = min(0.9, 0.25 * intensity)
    let operations = 2 * step.multiplyAdds * (padded / columns) * (paddedRows / rows).squareRoot()
    let penalty = blocking == .preferred ? 1.0 : 1.04
    return penalty * operations / (width * 10e9 * efficiency) + bytes + 1e-6
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    do {
      let hook = work.hook
      var plan = try work.plan(variant: variant, blocking: nil)
      if blocking != .preferred, let preferred = plan.blocking {
        plan = try work.plan(variant: variant, blocking: adjusted(preferred))
      }
      guard let constants = TensorStorage(byteCount: plan.constantBytes) else {
        throw CPUTacticError("no memory for \(plan.constantBytes) bytes of packed weights")
      }
      work.withConstants(request) { weights, bias in
        plan.writeConstants(to: constants.base, weights: weights, bias: bias)
      }
      let steps = plan.steps(constants: constants.base)
      let phases = steps.map { step in
        KernelPhase(
          function: step.function,
          parameters: ParameterBlock(
            bytes: step.parameters, retaining: [constants] + hook.retained),
          operands: work.operands, taskCount: step.taskCount)
      }
      return PreparedKernel(
        phases: phases, workspaceBytes: plan.workspaceBytes,
        scratchBytes: steps.map(\.scratchBytes).max() ?? 0, packedBytes: plan.constantBytes)
    } catch let error as CPUTacticError { throw error } catch {
      throw CPUTacticError("the contraction cannot be planned: \(error)")
    }
  }

  private func adjusted(_ preferred: ContractionBlocking) -> ContractionBlocking {
    var result = preferred
    switch blocking {
    case .preferred: break
    case .inputStays: result.panelsOuter.toggle()
    case .fewerPixels: result.pixels = max(1, preferred.pixels / 2)
    case .morePixels: result.pixels = preferred.pixels * 2
    case .shallow:
      if preferred.taps > 1 {
        result.taps = max(1, preferred.taps / 2)
      } else {
        result.run = max(64, preferred.run / 2)
      }
    }
    return result
  }
}
