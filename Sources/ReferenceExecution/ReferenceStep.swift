package import ProgramModel
import ReferenceInterpreter
package import TensorModel

/// Runs a step with the reference interpreter: on one thread, with copies.
package enum ReferenceStep {
  /// - Parameters:
  ///   - inputs: the address of the first element of each input that is present.
  ///   - outputs: likewise of each output.
  package static func run(
    _ step: Step, inputs addresses: [UnsafeRawPointer], outputs: [UnsafeMutableRawPointer]
  ) throws(ReferenceStepError) {
    do {
      var next = 0
      var inputs: [Tensor?] = []
      for view in step.inputs {
        guard let view else {
          inputs.append(nil)
          continue
        }
        inputs.append(try StridedCopy.gather(view, from: addresses[next]))
        next += 1
      }
      let results = try Interpreter.evaluate(step.problem, inputs, step.outputs.map(\.type))
      for (index, tensor) in results.enumerated() where step.outputs.indices.contains(index) {
        StridedCopy.scatter(tensor, to: step.outputs[index], at: outputs[index])
      }
    } catch { throw ReferenceStepError(description: "step '\(step.name)': \(error)") }
  }
}

package struct ReferenceStepError: Error, Sendable, CustomStringConvertible {
  package var description: String
}

/// Copies between strided views and dense tensors, element by element.
package enum StridedCopy {
  package static func gather(
    _ view: View, from base: UnsafeRawPointer
  ) throws(TensorError) -> Tensor {
    var tensor = try Tensor(uninitialized: view.dataType, shape: view.shape)
    let size = view.dataType.byteCount
    tensor.withUnsafeMutableBytes { bytes in
      guard let target = bytes.baseAddress else { return }
      forEach(view) { index, offset in
        (target + index * size).copyMemory(from: base + offset * size, byteCount: size)
      }
    }
    return tensor
  }

  package static func scatter(_ tensor: Tensor, to view: View, at base: UnsafeMutableRawPointer) {
    let size = view.dataType.byteCount
    tensor.withUnsafeBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      forEach(view) { index, offset in
        (base + offset * size).copyMemory(from: source + index * size, byteCount: size)
      }
    }
  }

  private static func forEach(_ view: View, _ body: (_ index: Int, _ offset: Int) -> Void) {
    guard view.elementCount > 0 else { return }
    var position = [Int](repeating: 0, count: view.rank)
    var offset = 0
    for index in 0..<view.elementCount {
      body(index, offset)
      var axis = view.rank - 1
      while axis >= 0 {
        position[axis] += 1
        offset += view.strides[axis]
        if position[axis] < view.shape[axis] { break }
        offset -= view.strides[axis] * view.shape[axis]
        position[axis] = 0
        axis -= 1
      }
    }
  }
}
