#if NEEDLETAIL_VNNI
  import CPUIntrinsics
  package import CPUKernelInterface

  /// The register tile of processors with AMX, to be offered before the others.
  package func matrixVariant() -> IntegerVariant {
    var variant = IntegerVariant(rows: 32, columns: 32) { MatrixTile.compute($0, ofPairs: false) }
    variant.name = "32x32 amx"
    variant.speed = 4
    return variant
  }

  /// The same for pairs of bfloat16.
  package func matrixPairVariant() -> IntegerVariant {
    var variant = IntegerVariant(rows: 32, columns: 32) { MatrixTile.compute($0, ofPairs: true) }
    variant.name = "32x32 amx"
    variant.speed = 4
    return variant
  }

  /// The sums of up to 32 output pixels times 32 output channels, held in the tile registers.
  ///
  /// Rows of x lie anywhere: 64 bytes of each are copied side by side, one block ahead of the products.
  private enum MatrixTile {
    private static var blockBytes: Int { 64 }
    private static var blockQuads: Int { 16 }
    /// Bytes between quads of the weights.
    private static var quadBytes: Int { 128 }
    private static var copyBytes: Int { 32 * blockBytes }

    @inline(__always)
    static func compute(_ raw: UnsafeRawPointer, ofPairs: Bool) {
      let arguments = raw.assumingMemoryBound(to: IntegerTileArguments.self).pointee
      let upper = min(arguments.rows, 16)
      let lower = arguments.rows &- upper
      let weightsBytes = blockQuads &* quadBytes
      withUnsafeTemporaryAllocation(
        byteCount: 2 &* copyBytes &+ weightsBytes, alignment: 64
      ) { memory in
        guard let copies = memory.baseAddress else { return }
        matrixTilesBegin(Int32(upper), Int32(max(lower, 1)), arguments.start)
        addProducts(
          arguments, copies, copies + 2 &* copyBytes, hasLower: lower > 0, ofPairs: ofPairs)
        matrixTilesEnd(arguments.sums, Int32(upper), lower > 0 ? 1 : 0)
      }
    }

    @inline(__always)
    private static func addProducts(
      _ arguments: IntegerTileArguments, _ copies: UnsafeMutableRawPointer,
      _ rest: UnsafeMutableRawPointer, hasLower: Bool, ofPairs: Bool
    ) {
      let quads = arguments.quads
      let blocks = (quads &+ blockQuads &- 1) / blockQuads
      let count = arguments.taps &* blocks
      var tap = 0
      var block = 0
      var weights = UnsafeRawPointer(arguments.weights)
      copyRows(arguments, 0, 0, copies)
      for index in 0..<count {
        let taken = min(blockQuads, quads &- block &* blockQuads)
        var factors = weights
        if taken < blockQuads {
          rest.initializeMemory(as: UInt8.self, repeating: 0, count: blockQuads &* quadBytes)
          rest.copyMemory(from: weights, byteCount: taken &* quadBytes)
          factors = UnsafeRawPointer(rest)
        }
        weights += taken &* quadBytes
        block &+= 1
        if block == blocks {
          block = 0
          tap &+= 1
        }
        if index &+ 1 < count {
          copyRows(arguments, tap, block, copies + ((index &+ 1) & 1) &* copyBytes)
        }
        let x = UnsafeRawPointer(copies + (index & 1) &* copyBytes).assumingMemoryBound(
          to: UInt8.self)
        let block = factors.assumingMemoryBound(to: Int8.self)
        if ofPairs {
          matrixTilesAddPairs(x, block, quadBytes, hasLower ? 1 : 0)
        } else {
          matrixTilesAdd(x, block, quadBytes, hasLower ? 1 : 0)
        }
      }
    }

    /// Copies a block of the run of one tap of all rows, zeros behind its end.
    @inline(__always)
    private static func copyRows(
      _ arguments: IntegerTileArguments, _ tap: Int, _ block: Int,
      _ target: UnsafeMutableRawPointer
    ) {
      let pointers = arguments.pointers + tap &* arguments.rows
      let first = block &* blockBytes
      let bytes = min(blockBytes, arguments.runBytes &- first)
      for row in 0..<arguments.rows {
        let x = ByteColumns.load(pointers[row] + first, count: bytes)
        IntegerLanes.store(x, target + row &* blockBytes)
      }
    }
  }
#endif
