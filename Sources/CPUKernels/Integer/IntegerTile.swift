import CPUIntrinsics
import CPUKernelInterface

/// The sums of `rows` output pixels times `vectors` vectors of output channels, held in registers.
struct IntegerTile<let rows: Int, let vectors: Int> {
  typealias Row = InlineArray<vectors, IntegerVector>
  typealias Arguments = UnsafePointer<IntegerTileArguments>

  var sums: InlineArray<rows, Row>

  static func compute(_ raw: UnsafeRawPointer) {
    let arguments = raw.assumingMemoryBound(to: IntegerTileArguments.self)
    var tile = IntegerTile(arguments.pointee.start)
    tile.addProducts(arguments)
    tile.store(arguments.pointee.sums)
  }

  @inline(__always)
  init(_ start: UnsafePointer<Int32>) {
    var row = Row(repeating: IntegerLanes.zero)
    for v in 0..<vectors { row[v] = IntegerLanes.load(start + v &* IntegerLanes.count) }
    sums = InlineArray(repeating: row)
  }

  @inline(__always)
  mutating func addProducts(_ arguments: Arguments) {
    let quads = arguments.pointee.quads
    let step = vectors &* IntegerLanes.count &* 4
    var weights = arguments.pointee.weights
    var pointers = arguments.pointee.pointers
    var prefetch = arguments.pointee.prefetch
    for _ in 0..<arguments.pointee.taps {
      var inputs = InlineArray<rows, UnsafePointer<UInt8>>(repeating: pointers[0])
      for row in 0..<rows { inputs[row] = pointers[row] }
      pointers += rows
      var quad = 0
      while rows &* vectors <= 24 && quad &+ 2 <= quads {
        addQuad(inputs, quad &* 4, weights)
        addQuad(inputs, quad &* 4 &+ 4, weights + step)
        prefetchForReading(prefetch)
        prefetch += 64
        weights += 2 &* step
        quad &+= 2
      }
      while quad < quads {
        addQuad(inputs, quad &* 4, weights)
        weights += step
        quad &+= 1
      }
    }
  }

  @inline(__always)
  mutating func addQuad(
    _ inputs: InlineArray<rows, UnsafePointer<UInt8>>, _ offset: Int, _ weights: UnsafePointer<Int8>
  ) {
    var factors = InlineArray<vectors, QuadWeights>(repeating: QuadWeights(weights))
    for v in 1..<max(vectors, 1) {
      factors[v] = QuadWeights(weights + v &* IntegerLanes.count &* 4)
    }
    for row in 0..<rows {
      let input = QuadInput(inputs[row] + offset)
      for v in 0..<vectors {
        sums[row][v] = IntegerLanes.addProducts(input, factors[v], sums[row][v])
      }
    }
  }

  @inline(__always)
  func store(_ target: UnsafeMutablePointer<Int32>) {
    for row in 0..<rows {
      for v in 0..<vectors {
        IntegerLanes.store(
          sums[row][v], target + (row &* vectors &+ v) &* IntegerLanes.count)
      }
    }
  }
}
