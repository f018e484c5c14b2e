import CPUKernelInterface

/// A block of `rows` output pixels times `vectors` vectors of output channels, held in registers.
struct ContractionTile<let rows: Int, let vectors: Int> {
  typealias Row = InlineArray<vectors, ContractionVector>

  var sums: InlineArray<rows, Row>

  @inline(__always)
  init() {
    sums = InlineArray(repeating: Row(repeating: Lanes.zero))
  }

  static func compute(_ raw: UnsafeRawPointer) {
    let arguments = raw.assumingMemoryBound(to: ContractionTileArguments.self)
    var tile = ContractionTile()
    if let accumulated = arguments.pointee.accumulated {
      tile.addRows(accumulated, arguments.pointee.accumulatedStride)
    } else if let residual = arguments.pointee.residual {
      // Before anything is stored: the residual may lie where the output does.
      tile.addRows(residual, arguments.pointee.residualStride)
    }
    tile.addProducts(arguments)
    if arguments.pointee.finishes { tile.finish(arguments) }
    tile.store(arguments.pointee.output, arguments.pointee.outputStride)
  }

  @inline(__always)
  mutating func addProducts(_ arguments: UnsafePointer<ContractionTileArguments>) {
    let elements = arguments.pointee.elements
    let first = arguments.pointee.firstElement
    let stride = arguments.pointee.weightsRowStride
    var weights = arguments.pointee.weights
    var pointers = arguments.pointee.pointers
    var prefetch = arguments.pointee.prefetch
    for _ in 0..<arguments.pointee.taps {
      var inputs = InlineArray<rows, UnsafePointer<Float>>(repeating: pointers[0])
      for row in 0..<rows { inputs[row] = pointers[row] + first }
      pointers += rows
      var k = 0
      if rows &* vectors <= 24 {
        while k &+ 2 <= elements {
          addProduct(inputs, k, weights)
          addProduct(inputs, k &+ 1, weights + stride)
          Lanes.prefetch(prefetch)
          prefetch += 64
          weights += 2 &* stride
          k &+= 2
        }
      }
      while k < elements {
        addProduct(inputs, k, weights)
        weights += stride
        k &+= 1
      }
    }
  }

  @inline(__always)
  mutating func addProduct(
    _ inputs: InlineArray<rows, UnsafePointer<Float>>, _ k: Int, _ weights: UnsafePointer<Float>
  ) {
    var factors = Row(repeating: Lanes.zero)
    for v in 0..<vectors { factors[v] = Lanes.load(weights + v &* Lanes.count) }
    for row in 0..<rows {
      let input = Lanes.broadcast(inputs[row][k])
      for v in 0..<vectors {
        sums[row][v] = Lanes.multiplyAdd(input, factors[v], sums[row][v])
      }
    }
  }

  @inline(__always)
  mutating func addRows(_ source: UnsafePointer<Float>, _ stride: Int) {
    for row in 0..<rows {
      for v in 0..<vectors {
        let x = Lanes.load(source + (row &* stride &+ v &* Lanes.count))
        sums[row][v] = Lanes.add(sums[row][v], x)
      }
    }
  }

  @inline(__always)
  mutating func finish(_ arguments: UnsafePointer<ContractionTileArguments>) {
    if let bias = arguments.pointee.bias {
      for v in 0..<vectors {
        let x = Lanes.load(bias + v &* Lanes.count)
        for row in 0..<rows { sums[row][v] = Lanes.add(sums[row][v], x) }
      }
    }
    let lower = arguments.pointee.lower
    let upper = arguments.pointee.upper
    switch arguments.pointee.activation {
    case 1: activate(1, lower, upper)
    case 2: activate(2, lower, upper)
    case 3: activate(3, lower, upper)
    default: break
    }
  }

  @inline(__always)
  mutating func activate(_ activation: Int, _ lower: Float, _ upper: Float) {
    for row in 0..<rows {
      for v in 0..<vectors {
        sums[row][v] = Lanes.activate(sums[row][v], activation, lower, upper)
      }
    }
  }

  @inline(__always)
  func store(_ output: UnsafeMutablePointer<Float>, _ stride: Int) {
    for row in 0..<rows {
      for v in 0..<vectors {
        Lanes.store(sums[row][v], output + (row &* stride &+ v &* Lanes.count))
      }
    }
  }
}
