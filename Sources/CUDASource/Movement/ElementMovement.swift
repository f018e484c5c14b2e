import KernelModel
import ProgramModel
import TensorModel

/// The work of an `ElementKernel`, before the width of its vectors is chosen.
struct ElementMovement: Sendable {
  struct Parameter: Sendable {
    /// The type of an element.
    var storage: String
    var argument: KernelLaunch.Argument
    /// Elements by which the pointer is moved first.
    var shift = 0
  }

  /// The output's extents, none of them 0, and its axes, outermost in memory first.
  var shape: [Int]
  var order: [Int]
  /// The output, then what is read.
  var lanes: [Lane]
  /// Bytes of an element of each lane; 0 for what is not in memory.
  var sizes: [Int]
  /// What is read, then the output.
  var parameters: [Parameter]
  /// What the kernel reads, through pointers of the given names.
  var sources: @Sendable (VectorWalk, [String]) throws(CUDASourceError) -> [ElementSource]
  /// The output's element from the texts of the sources' elements.
  var value: @Sendable ([String]) throws(CUDASourceError) -> RenderedExpression

  var elementCount: Int { shape.reduce(1, *) }

  func walk(width: Int) -> VectorWalk? {
    VectorWalk(shape: shape, order: order, lanes: lanes, width: width)
  }

  /// The walk in the widest vectors of at most `width` elements and 16 bytes; in single elements where
  /// there is none.
  func widestWalk(_ width: Int) -> VectorWalk? {
    var width = width
    while width > 1 {
      if let walk = walk(width: width), fits(walk) { return walk }
      width /= 2
    }
    return walk(width: 1)
  }

  /// Whether no vector in memory has more than 16 bytes.
  private func fits(_ walk: VectorWalk) -> Bool {
    zip(walk.access, sizes).allSatisfy { $0 != .vector || $1 * walk.width <= 16 }
  }

  func part(_ walk: VectorWalk, _ shape: LaunchShape, suffix: String) throws(CUDASourceError)
    -> KernelPart
  {
    let names = parameters.indices.dropLast().map { "p\($0)\(suffix)" } + ["y\(suffix)"]
    var declarations: [String] = []
    var shifts: [String] = []
    for (index, parameter) in parameters.enumerated() {
      let qualifier = index == parameters.count - 1 ? "" : "const "
      declarations.append("\(qualifier)\(parameter.storage)* \(names[index])")
      if parameter.shift != 0 { shifts.append("\(names[index]) += \(parameter.shift);") }
    }
    let kernel = ElementKernel(
      walk: walk, threads: shape.threads, unroll: shape.unroll, output: "y\(suffix)",
      outputStorage: parameters[parameters.count - 1].storage,
      sources: try sources(walk, Array(names.dropLast())), value: value)
    return KernelPart(
      parameters: declarations, shifts: shifts, arguments: parameters.map(\.argument),
      kernel: kernel)
  }
}

/// Movements in vectors of the output's elements; several share one launch.
struct ElementTactic: CUDATactic {
  var family: String
  var movements: [ElementMovement]
  /// The most elements of a vector.
  var width: Int
  var shape: LaunchShape
  var prepared: [Int] = []
  var preparation: [KernelLaunch] = []

  var name: String {
    let unroll = shape.unroll == 1 ? "" : " x\(shape.unroll)"
    return "\(family) \(width)\(unroll), \(shape.threads) threads"
  }

  private static let maximumParts = 16

  /// Tactics of several widths, the likeliest first; the last takes single elements.
  static func candidates(
    _ request: CUDARequest, _ family: String, _ movements: [ElementMovement]
  ) -> [ElementTactic] {
    var widths: [Int] = []
    for width in [16, 8, 4, 2, 1] {
      if movements.contains(where: { $0.widestWalk(width)?.width == width }) {
        widths.append(width)
      }
    }
    // The widest, the next, and single elements, which always work.
    let chosen = widths.prefix(2) + (widths.count > 2 ? [1] : [])
    let elements = movements.reduce(0) { $0 + $1.elementCount }
    var result: [ElementTactic] = []
    for (position, width) in chosen.enumerated() {
      let shapes = LaunchShape.candidates(request.gpu, ceilingQuotient(elements, width))
      for shape in shapes.prefix(position == 0 ? 3 : 1) {
        result.append(
          ElementTactic(family: family, movements: movements, width: width, shape: shape))
      }
    }
    return result
  }

  func estimate(_ request: CUDARequest) -> Double {
    var seconds =
      request.launchSeconds * Double(ceilingQuotient(movements.count, Self.maximumParts))
    for movement in movements {
      guard let walk = movement.widestWalk(width) else { continue }
      seconds += shape.seconds(request.gpu, walk, sizes: movement.sizes)
    }
    return seconds
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    StepPlan(launches: try launches(), prepared: prepared, preparation: preparation)
  }

  func launches() throws(CUDASourceError) -> [KernelLaunch] {
    var result: [KernelLaunch] = []
    for start in stride(from: 0, to: movements.count, by: Self.maximumParts) {
      let end = min(start + Self.maximumParts, movements.count)
      var parts: [KernelPart] = []
      for (number, movement) in movements[start..<end].enumerated() {
        guard let walk = movement.widestWalk(width) else {
          throw CUDASourceError("an output of extents \(movement.shape) cannot be walked")
        }
        let suffix = end - start == 1 ? "" : "_\(number)"
        parts.append(try movement.part(walk, shape, suffix: suffix))
      }
      result.append(try shape.launch(family, parts))
    }
    return result
  }
}
