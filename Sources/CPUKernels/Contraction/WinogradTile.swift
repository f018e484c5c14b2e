import CPUKernelInterface

/// A block of `upper + lower` windows times `vectors` vectors of output channels at one point, held in registers.
///
/// Windows lie one vector apart, so that one address reaches all of them. There are two parts because the compiler
/// unrolls loops over at most some fifteen registers.
struct WinogradTile<let upper: Int, let lower: Int, let vectors: Int> {
  typealias Row = InlineArray<vectors, ContractionVector>

  var upperSums: InlineArray<upper, Row>
  var lowerSums: InlineArray<lower, Row>

  @inline(__always)
  init() {
    upperSums = InlineArray(repeating: Row(repeating: Lanes.zero))
    lowerSums = InlineArray(repeating: Row(repeating: Lanes.zero))
  }

  static func compute(_ raw: UnsafeRawPointer) {
    let arguments = raw.assumingMemoryBound(to: WinogradTileArguments.self)
    var tile = WinogradTile()
    tile.addProducts(arguments)
    let output = arguments.pointee.output
    let stride = arguments.pointee.outputStride
    for row in 0..<upper {
      for v in 0..<vectors {
        Lanes.store(tile.upperSums[row][v], output + (row &* stride &+ v &* Lanes.count))
      }
    }
    for row in 0..<lower {
      for v in 0..<vectors {
        Lanes.store(
          tile.lowerSums[row][v], output + ((upper &+ row) &* stride &+ v &* Lanes.count))
      }
    }
  }

  @inline(__always)
  mutating func addProducts(_ arguments: UnsafePointer<WinogradTileArguments>) {
    var weights = arguments.pointee.weights
    var input = arguments.pointee.input
    let blockStride = arguments.pointee.blockStride
    var channels = arguments.pointee.channels
    while channels >= Lanes.count {
      var k = 0
      while k < Lanes.count {
        addProduct(input + k, weights)
        addProduct(input + (k &+ 1), weights + vectors &* Lanes.count)
        weights += 2 &* vectors &* Lanes.count
        k &+= 2
      }
      input += blockStride
      channels &-= Lanes.count
    }
    for k in 0..<channels {
      addProduct(input + k, weights)
      weights += vectors &* Lanes.count
    }
  }

  @inline(__always)
  mutating func addProduct(_ input: UnsafePointer<Float>, _ weights: UnsafePointer<Float>) {
    var factors = Row(repeating: Lanes.zero)
    for v in 0..<vectors {
      factors[v] = Lanes.load(weights + v &* Lanes.count)
      Lanes.prefetch(weights + (Self.prefetchDistance &+ v &* Lanes.count))
    }
    for row in 0..<upper {
      let x = Lanes.broadcast(input[row &* Lanes.count])
      for v in 0..<vectors {
        upperSums[row][v] = Lanes.multiplyAdd(x, factors[v], upperSums[row][v])
      }
    }
    for row in 0..<lower {
      let x = Lanes.broadcast(input[(upper &+ row) &* Lanes.count])
      for v in 0..<vectors {
        lowerSums[row][v] = Lanes.multiplyAdd(x, factors[v], lowerSums[row][v])
      }
    }
  }

  /// How far ahead weights are fetched, in elements.
  @inline(__always) private static var prefetchDistance: Int { 1024 }
}
