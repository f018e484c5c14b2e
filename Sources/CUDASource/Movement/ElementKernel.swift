import KernelModel
import ProgramModel
import TensorModel

/// Where a thread stands while it reads the operands of one vector.
struct ReadingPlace {
  var space: IndexSpace
  /// Begins the names of the coordinates in `space`.
  var prefix: String
  /// Elements to read: the walk's width, or 1.
  var width: Int
  /// A condition for a whole vector, and how many elements there are otherwise; nil: always whole.
  var remainder: String?
  /// What is assigned to: a vector, or an element.
  var target: String

  func offset(_ lane: Int) -> String { space.offset(view: lane, prefix: prefix) }

  /// An element of the target.
  func element(_ index: String) -> String { width == 1 ? target : "\(target).at[\(index)]" }

  /// Statements that read from an address whose offset is known.
  func reading(_ pointer: String, offset: String, _ access: VectorWalk.Access) -> [String] {
    if width == 1 { return ["\(target) = \(pointer)[\(offset)];"] }
    switch access {
    case .vector:
      let whole = "load_vector<\(width)>(\(pointer) + \(offset))"
      guard let remainder else { return ["\(target) = \(whole);"] }
      let part = "load_partial<\(width)>(\(pointer) + \(offset), \(remainder))"
      return ["\(target) = \(remainder) >= \(width) ? \(whole) : \(part);"]
    case .strided(let stride):
      let place = IndexText.sum([(offset, 1), ("j", stride)])
      return ["for (int j = 0; j < \(width); j++) \(target).at[j] = \(pointer)[\(place)];"]
    case .uniform, .single: return ["\(target) = \(pointer)[\(offset)];"]
    }
  }
}

/// A value that each element of the output is computed from.
struct ElementSource {
  /// The type of the registers that hold it.
  var storage: String
  /// The type that expressions see.
  var type: DataType
  var access: VectorWalk.Access
  /// Statements that assign the target.
  var read: @Sendable (ReadingPlace) -> [String]

  /// The element of a view.
  static func memory(
    _ pointer: String, _ type: DataType, lane: Int, _ walk: VectorWalk
  ) throws(CUDASourceError) -> ElementSource {
    guard let storage = type.cudaStorage else {
      throw CUDASourceError("kernels do not hold \(type)")
    }
    let access = walk.access[lane]
    return ElementSource(storage: storage, type: type, access: access) { place in
      place.reading(pointer, offset: place.offset(lane), access)
    }
  }

  /// The coordinate of the output that a lane stands for.
  static func coordinate(lane: Int, _ walk: VectorWalk) -> ElementSource {
    let access = walk.access[lane]
    return ElementSource(storage: "int32_t", type: .int32, access: access) { place in
      guard place.width > 1, case .strided(let stride) = access else {
        return ["\(place.target) = \(place.offset(lane));"]
      }
      let value = IndexText.sum([(place.offset(lane), 1), ("j", stride)])
      return ["for (int j = 0; j < \(place.width); j++) \(place.target).at[j] = \(value);"]
    }
  }
}

/// Where the elements of an operand lie that each element of the output finds in its own way.
struct ElementAddress: Sendable {
  /// The lane of the part of the offset that the strides give.
  var lane: Int
  /// Lanes that must not change inside a vector that is read as one.
  var coordinates: [Int]
  /// Statements that declare what the rest of the offset is made of.
  var statements: @Sendable (ReadingPlace) -> [String]
  /// The rest of the offset.
  var terms: [(text: String, factor: Int)]
  /// Where it is false, the element is `fill`.
  var condition: String?
  var fill = ""

  /// The operand behind a pointer.
  func source(
    _ pointer: String, _ type: DataType, _ walk: VectorWalk
  ) throws(CUDASourceError) -> ElementSource {
    guard let storage = type.cudaStorage else {
      throw CUDASourceError("kernels do not hold \(type)")
    }
    let isWhole = coordinates.allSatisfy { walk.access[$0] == .uniform }
    let access = isWhole || walk.width == 1 ? walk.access[lane] : .single
    return ElementSource(storage: storage, type: type, access: access) { place in
      let offset = IndexText.sum([(place.offset(lane), 1)] + terms)
      let reads = place.reading(pointer, offset: offset, access)
      guard let condition else { return statements(place) + reads }
      let otherwise =
        place.width == 1
        ? "\(place.target) = \(fill);"
        : "for (int j = 0; j < \(place.width); j++) \(place.target).at[j] = \(fill);"
      return statements(place) + ["if (\(condition)) {"] + reads + ["} else {", otherwise, "}"]
    }
  }
}

/// A kernel in which each thread computes some vectors of the output.
struct ElementKernel {
  /// Lane 0 is the output.
  var walk: VectorWalk
  var threads: Int
  /// Vectors of one thread.
  var unroll: Int
  var output: String
  var outputStorage: String
  var sources: [ElementSource]
  /// The value from the texts of the sources' elements.
  var value: @Sendable ([String]) throws(CUDASourceError) -> RenderedExpression

  var blockCount: Int { ceilingQuotient(walk.vectorCount, threads * unroll) }

  /// The statements of the kernel.
  ///
  /// - Parameter firstBlock: the block of the grid that begins.
  func write(to text: inout KernelText, firstBlock: Int = 0) throws(CUDASourceError) {
    let block = firstBlock == 0 ? "blockIdx.x" : "(blockIdx.x - \(firstBlock))"
    text.line("const unsigned first = \(block) * \(threads * unroll)u + threadIdx.x;")
    for (index, source) in sources.enumerated() {
      let isVector = holdsVector(source)
      let type = isVector ? "Vector<\(source.storage), \(walk.width)>" : source.storage
      text.line("\(type) v\(index)[\(unroll)];")
    }
    if !sources.isEmpty { try writeLoop(to: &text, writeReads) }
    try writeLoop(to: &text, writeResults)
  }

  private func holdsVector(_ source: ElementSource) -> Bool {
    walk.width > 1 && source.access != .uniform
  }

  private func writeLoop(
    to text: inout KernelText,
    _ body: (inout KernelText) throws(CUDASourceError) -> Void
  ) throws(CUDASourceError) {
    text.line("#pragma unroll")
    try text.block("for (int u = 0; u < \(unroll); u++)") { text throws(CUDASourceError) in
      text.line("const unsigned i = first + u * \(threads)u;")
      try text.block("if (i < \(walk.vectorCount)u)") { text throws(CUDASourceError) in
        if walk.hasTail { text.line("const int rest = \(walk.count) - (int)i * \(walk.width);") }
        try body(&text)
      }
    }
  }

  private func writeReads(to text: inout KernelText) {
    let isWhole = sources.map { walk.width == 1 || $0.access != .single }
    if isWhole.contains(true) { text.lines(walk.vectors.coordinates(of: "i", prefix: "c")) }
    for (index, source) in sources.enumerated() where isWhole[index] {
      let place = ReadingPlace(
        space: walk.vectors, prefix: "c", width: holdsVector(source) ? walk.width : 1,
        remainder: walk.hasTail ? "rest" : nil, target: "v\(index)[u]")
      text.lines(source.read(place))
    }
    guard isWhole.contains(false) else { return }
    text.line("#pragma unroll")
    let guarded = walk.hasTail ? "if (j < rest) " : ""
    text.line("for (int j = 0; j < \(walk.width); j++) \(guarded){")
    text.lines(walk.elements.coordinates(of: "(i * \(walk.width)u + j)", prefix: "d"))
    for (index, source) in sources.enumerated() where !isWhole[index] {
      let place = ReadingPlace(
        space: walk.elements, prefix: "d", width: 1, remainder: nil,
        target: "v\(index)[u].at[j]")
      text.lines(source.read(place))
    }
    text.line("}")
  }

  private func writeResults(to text: inout KernelText) throws(CUDASourceError) {
    text.line("Vector<\(outputStorage), \(walk.width)> r;")
    text.line("#pragma unroll")
    try text.block("for (int j = 0; j < \(walk.width); j++)") { text throws(CUDASourceError) in
      var names: [String] = []
      for (index, source) in sources.enumerated() {
        let element = "v\(index)[u]" + (holdsVector(source) ? ".at[j]" : "")
        text.line("const auto x\(index) = load(\(element));")
        names.append("x\(index)")
      }
      let result = try value(names)
      text.lines(result.statements)
      text.line("r.at[j] = \(result.stored);")
    }
    text.lines(walk.vectors.coordinates(of: "i", prefix: "c"))
    let place = "\(output) + \(walk.vectors.offset(view: 0, prefix: "c"))"
    if walk.width == 1 {
      text.line("*(\(place)) = r.at[0];")
    } else if walk.hasTail {
      text.line("if (rest >= \(walk.width)) store_vector(\(place), r);")
      text.line("else store_partial(\(place), r, rest);")
    } else {
      text.line("store_vector(\(place), r);")
    }
  }
}
