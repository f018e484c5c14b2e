/// What a contraction of 8-bit integers stores.
package enum IntegerResult: Int, Sendable {
  /// The sums as they are.
  case int32 = 0
  case float32 = 1
  case uint8 = 2
  case int8 = 3

  package var byteCount: Int { self == .int32 || self == .float32 ? 4 : 1 }
}

/// What a residual of a contraction of 8-bit integers is.
package enum IntegerResidual: Int, Sendable {
  case none = 0
  case uint8 = 1
  case int8 = 2
  case float32 = 3

  package var byteCount: Int { self == .float32 ? 4 : 1 }
}

/// A quantisation before the last one: `clamp(round(value)) * scale + shift`.
package struct IntegerStage: BitwiseCopyable, Sendable {
  package var lower: Float
  package var upper: Float
  package var scale: Float
  package var shift: Float

  package init(lower: Float, upper: Float, scale: Float, shift: Float) {
    self.lower = lower
    self.upper = upper
    self.scale = scale
    self.shift = shift
  }
}

/// What a contraction of 8-bit integers applies to its sums in registers.
///
/// The value is `clamp(inner(sum * scale + shift) + residual * residualScale)` with numbers for each column; bytes are
/// `clamp(round(value) + zeroPoint)`.
package struct IntegerEpilogue: BitwiseCopyable, @unchecked Sendable {
  /// `IntegerResult` and `IntegerResidual`.
  package var result = IntegerResult.int32.rawValue
  package var residual = IntegerResidual.none.rawValue
  /// What sums start from.
  package var start: UnsafePointer<Int32>
  package var scale: UnsafePointer<Float>
  package var shift: UnsafePointer<Float>
  package var residualScale: UnsafePointer<Float>
  package var inner = IntegerStage(lower: 0, upper: 0, scale: 1, shift: 0)
  package var hasInner = false
  /// Bounds of the value, kept only where `isLimited`.
  package var lower: UnsafePointer<Float>
  package var upper: UnsafePointer<Float>
  package var isLimited = false
  package var zeroPoint: Int32 = 0
  package var lowest: Int32 = 0
  package var highest: Int32 = 255

  /// - Parameter numbers: what every address but that of `start` is, until the constants have theirs.
  package init(start: UnsafePointer<Int32>, numbers: UnsafePointer<Float>) {
    self.start = start
    scale = numbers
    shift = numbers
    residualScale = numbers
    lower = numbers
    upper = numbers
  }

  /// Points at constants that hold vectors of `stride` bytes, in the order of `IntegerColumns.vectors`.
  package mutating func point(at bytes: UnsafeRawPointer, stride: Int) {
    func numbers(_ place: Int) -> UnsafePointer<Float> {
      (bytes + place * stride).assumingMemoryBound(to: Float.self)
    }
    start = bytes.assumingMemoryBound(to: Int32.self)
    scale = numbers(1)
    shift = numbers(2)
    residualScale = numbers(3)
    lower = numbers(4)
    upper = numbers(5)
  }

  /// The epilogue of the columns from `column` on.
  package func moved(to column: Int) -> IntegerEpilogue {
    var result = self
    result.start += column
    result.scale += column
    result.shift += column
    result.residualScale += column
    result.lower += column
    result.upper += column
    return result
  }
}

/// What a register tile of bytes computes, passed by address to an `IntegerTileFunction`.
package struct IntegerTileArguments {
  /// `[tap][row]`: the first byte of each run.
  package var pointers: UnsafePointer<UnsafePointer<UInt8>>
  package var taps: Int
  /// Groups of four bytes in a run.
  package var quads: Int
  /// What of them is the run's own: factors that are floats must not meet what lies behind it.
  package var runBytes: Int
  /// `[tap][quad][column][4]`.
  package var weights: UnsafePointer<Int8>
  package var rows: Int
  /// What the sums of each column start from.
  package var start: UnsafePointer<Int32>
  /// `[row][column]`, as many columns as the tile has.
  package var sums: UnsafeMutablePointer<Int32>
  /// Of variants with registers that have a shape: the rows for which it is set; 0 where it is not.
  package var shapedRows: UnsafeMutablePointer<Int>
  /// The weights to come, fetched at half a line for each quad.
  package var prefetch: UnsafePointer<Int8>

  package init(
    pointers: UnsafePointer<UnsafePointer<UInt8>>, taps: Int, quads: Int,
    runBytes: Int, weights: UnsafePointer<Int8>, rows: Int, start: UnsafePointer<Int32>,
    sums: UnsafeMutablePointer<Int32>, shapedRows: UnsafeMutablePointer<Int>
  ) {
    self.pointers = pointers
    self.taps = taps
    self.quads = quads
    self.runBytes = runBytes
    self.weights = weights
    self.rows = rows
    self.start = start
    self.sums = sums
    self.shapedRows = shapedRows
    prefetch = weights
  }
}

/// A `KernelEpilogue` with what it needs; the preparer keeps `context` alive as long as the kernel.
package struct SumsHook: @unchecked Sendable {
  package var function: KernelEpilogue
  package var context: UnsafeRawPointer
  package var scratchBytes: Int
  /// The bytes of one result.
  package var resultBytes: Int

  package init(
    function: KernelEpilogue, context: UnsafeRawPointer, scratchBytes: Int, resultBytes: Int
  ) {
    self.function = function
    self.context = context
    self.scratchBytes = scratchBytes
    self.resultBytes = resultBytes
  }

  /// Rows that are handed over together.
  package static let rows = 32
}

/// Computes one register tile of up to the variant's rows and all of its columns.
package typealias IntegerTileFunction = @convention(c) (_ arguments: UnsafeRawPointer) -> Void

/// A shape of register tile that an instruction set offers.
package struct IntegerVariant: Sendable {
  /// `"6x64"`.
  package var name: String
  package var rows: Int
  package var columns: Int
  package var tile: IntegerTileFunction
  /// Products of a cycle, of those of the kernels' vectors.
  package var speed = 1.0

  package init(rows: Int, columns: Int, tile: IntegerTileFunction) {
    self.name = "\(rows)x\(columns)"
    self.rows = rows
    self.columns = columns
    self.tile = tile
  }
}

/// The kernels for 8-bit integers of one instruction set.
package struct IntegerKernels: Sendable {
  /// 32-bit lanes of a vector register.
  package var vectorWidth: Int
  /// Multiply-adds of a vector that one cycle completes, roughly.
  package var productsPerCycle: Double
  package var variants: [IntegerVariant]
  /// The tiles of pairs of bfloat16, whose sums are in single precision: a quad is two of them.
  package var pairVariants: [IntegerVariant] = []
  /// `IntegerContractionParameters`.
  package var contraction: KernelFunction
  /// `IntegerPackParameters`.
  package var packWeights: KernelFunction
  /// `IntegerCopyParameters`.
  package var copyInput: KernelFunction
  /// `IntegerDepthwiseParameters`.
  package var depthwise: KernelFunction
  /// `IntegerPackParameters`, for depthwise convolutions.
  package var packDepthwise: KernelFunction
  /// The same with products summed four rows of the window at a time, and its packing.
  package var quadDepthwise: KernelFunction
  package var packQuadDepthwise: KernelFunction

  package init(
    vectorWidth: Int, productsPerCycle: Double, variants: [IntegerVariant],
    contraction: KernelFunction, packWeights: KernelFunction, copyInput: KernelFunction,
    depthwise: KernelFunction, packDepthwise: KernelFunction, quadDepthwise: KernelFunction,
    packQuadDepthwise: KernelFunction
  ) {
    self.vectorWidth = vectorWidth
    self.productsPerCycle = productsPerCycle
    self.variants = variants
    self.contraction = contraction
    self.packWeights = packWeights
    self.copyInput = copyInput
    self.depthwise = depthwise
    self.packDepthwise = packDepthwise
    self.quadDepthwise = quadDepthwise
    self.packQuadDepthwise = packQuadDepthwise
  }
}
