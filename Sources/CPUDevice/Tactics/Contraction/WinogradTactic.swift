import CPUKernelInterface
import ProgramModel
import TensorModel

/// A 3x3 convolution of stride 1 by minimal filtering, for windows of one size and one register tile.
struct WinogradTactic: CPUTactic {
  let work: ContractionWork
  /// Indices into the kernels' Winograd kernels and tiles.
  let algorithm: Int
  let variant: Int

  static func candidates(_ work: ContractionWork) -> [WinogradTactic] {
    guard work.winogradGeometry != nil else { return [] }
    return work.kernels.winograd.indices.flatMap { algorithm in
      work.kernels.winogradTiles.indices.map { variant in
        WinogradTactic(work: work, algorithm: algorithm, variant: variant)
      }
    }
  }

  var name: String {
    let outputs = work.kernels.winograd[algorithm].outputs
    return "winograd \(outputs)x\(outputs), tile \(work.kernels.winogradTiles[variant].name)"
  }

  func estimate(_ request: TacticRequest) -> Double {
    guard let geometry = work.winogradGeometry else { return .infinity }
    let kernel = work.kernels.winograd[algorithm]
    let tile = work.kernels.winogradTiles[variant]
    let width = Double(work.kernels.vectorWidth)
    func rounded(_ extent: Int, to unit: Int) -> Double {
      Double((extent + unit - 1) / unit * unit)
    }
    let windows =
      Double(geometry.images) * rounded(geometry.outputHeight, to: kernel.outputs)
      * rounded(geometry.outputWidth, to: kernel.outputs)
      / Double(kernel.outputs * kernel.outputs)
    let points = Double(kernel.points * kernel.points)
    let depth = Double(geometry.inputChannels)
    let columns = rounded(geometry.outputChannels, to: tile.columns)
    // Too few sums wait for one another.
    let sums = min(windows, Double(tile.rows)) * Double(tile.columns) / width
    let efficiency = 0.6 * min(1, sums / 10)
    let products = 2 * windows * points * depth * columns / (width * 10e9 * efficiency)
    let vectors = rounded(geometry.inputChannels, to: work.kernels.vectorWidth) + columns
    let transforms = windows * points * vectors * 4.6e-9 / width
    let weights = 4 * points * depth * columns
    return products + transforms + (request.step.trafficBytes + weights) / 12e9 + 1e-6
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let plan: WinogradPlan
    do { plan = try work.winogradPlan(algorithm: algorithm, variant: variant) } catch {
      throw CPUTacticError("the convolution cannot be planned: \(error)")
    }
    guard let constants = TensorStorage(byteCount: plan.constantBytes),
      let temporary = TensorStorage(byteCount: plan.temporaryBytes)
    else { throw CPUTacticError("no memory for \(plan.constantBytes) bytes of packed weights") }
    work.withConstants(request) { weights, bias in
      plan.writeConstants(
        to: constants.base, weights: weights?.assumingMemoryBound(to: Float.self), bias: bias,
        temporary: temporary.base)
    }
    let step = plan.step(constants: constants.base)
    let phase = KernelPhase(
      function: step.function,
      parameters: ParameterBlock(
        bytes: step.parameters, retaining: [constants] + work.hook.retained),
      operands: work.operands, taskCount: step.taskCount)
    return PreparedKernel(
      phases: [phase], scratchBytes: step.scratchBytes, packedBytes: plan.constantBytes)
  }
}
