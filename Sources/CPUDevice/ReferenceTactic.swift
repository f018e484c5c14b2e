import KernelModel
import ProgramModel
import ReferenceInterpreter
import Synchronization
import TensorModel

/// The tactic of last resort: the reference interpreter, on one thread, with copies.
struct ReferenceTactic: CPUTactic {
  var name: String { "reference" }

  func estimate(_ request: TacticRequest) -> Double {
    let step = request.step
    let elements = (step.inputs.compactMap { $0 } + step.outputs).reduce(0) { $0 + $1.elementCount }
    return 20e-9 * Double(elements) + 2e-9 * step.multiplyAdds + 5e-6
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let step = request.step
    let inputs = step.inputs.indices.filter { step.inputs[$0] != nil }
    let operands =
      inputs.map { KernelPhase.Operand.input($0) } + step.outputs.indices.map { .output($0) }
    let phase = KernelPhase(
      function: runReferenceStep, parameters: ParameterBlock(object: ReferenceStep(step)),
      operands: operands, taskCount: 1)
    return PreparedKernel(phases: [phase])
  }
}

/// A step for the interpreter, and what went wrong when it last ran.
final class ReferenceStep: Sendable {
  let step: Step
  let failure = Mutex<String?>(nil)

  init(_ step: Step) { self.step = step }

  func run(_ operands: UnsafePointer<UnsafeMutableRawPointer>) {
    do {
      var next = 0
      var inputs: [Tensor?] = []
      for view in step.inputs {
        guard let view else {
          inputs.append(nil)
          continue
        }
        inputs.append(try StridedCopy.gather(view, from: operands[next]))
        next += 1
      }
      let results = try Interpreter.evaluate(
        step.problem, inputs, step.outputs.map(\.type))
      for (tensor, view) in zip(results, step.outputs) {
        StridedCopy.scatter(tensor, to: view, at: operands[next])
        next += 1
      }
    } catch {
      let message = "step '\(step.name)': \(error)"
      failure.withLock { $0 = message }
    }
  }
}

private let runReferenceStep:
  @convention(c) (
    UnsafeRawPointer, UnsafePointer<UnsafeMutableRawPointer>, Int, Int, UnsafeMutableRawPointer
  ) -> Void = { parameters, operands, first, end, _ in
    guard first < end else { return }
    Unmanaged<ReferenceStep>.fromOpaque(parameters).takeUnretainedValue().run(operands)
  }

/// Copies between strided views and dense tensors, element by element.
enum StridedCopy {
  static func gather(_ view: View, from base: UnsafeMutableRawPointer) throws(TensorError) -> Tensor
  {
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

  static func scatter(_ tensor: Tensor, to view: View, at base: UnsafeMutableRawPointer) {
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
