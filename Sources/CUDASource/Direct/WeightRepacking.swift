import ProgramModel
import TensorModel

/// Puts weights `[M, C / groups, R, S]` (transposed: `[C, M / groups, R, S]`) into the order
/// `[R][S][C / groups][M]`.
struct WeightRepacking {
  let weights: View
  let isTransposed: Bool
  let groupOutputs: Int
  let groupInputs: Int

  private let threads = 256

  init(weights: View, isTransposed: Bool, groupOutputs: Int, groupInputs: Int) {
    self.weights = weights
    self.isTransposed = isTransposed
    self.groupOutputs = groupOutputs
    self.groupInputs = groupInputs
  }

  private var count: Int { weights.elementCount }
  var byteCount: Int { count * weights.dataType.byteCount }

  func launch(to target: KernelLaunch.Argument) -> KernelLaunch {
    KernelLaunch(
      KernelSource(entry: "repack_weights", body: text),
      grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
      arguments: [.input(1), target])
  }

  private var text: String {
    let type = weights.dataType.cudaBits ?? "uint8_t"
    let channels = isTransposed ? weights.shape[0] / groupInputs * groupOutputs : weights.shape[0]
    var kernel = KernelText()
    kernel.block(
      "KERNEL(\(threads)) repack_weights(const \(type)* __restrict__ w, \(type)* __restrict__ packed)"
    ) { kernel in
      kernel.lines(DirectText.linear(count, threads: threads))
      kernel.lines(
        DirectText.split(
          "i",
          into: [
            ("r", weights.shape[2]), ("s", weights.shape[3]), ("c", groupInputs), ("m", channels),
          ]))
      let coordinates =
        isTransposed
        ? ["(m / \(groupOutputs) * \(groupInputs) + c)", "(m % \(groupOutputs))", "r", "s"]
        : ["m", "c", "r", "s"]
      kernel.line("packed[i] = w[\(DirectText.offset(weights, coordinates))];")
    }
    return kernel.text
  }
}
