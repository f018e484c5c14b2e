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

  /// Gives the tile registers of this thread back.
  func releaseMatrixTiles() { matrixTilesRelease() }

  /// The sums of up to 32 output pixels times 32 output channels, held in the tile registers.
  ///
  /// Rows of x that lie at one distance are loaded from where they are. Of others, 64 bytes of each are copied side by
  /// side, one block ahead of the products.
  private enum MatrixTile {
    private static var blockBytes: Int { 64 }
    private static var blockQuads: Int { 16 }
    /// Bytes between quads of the weights.
    private static var quadBytes: Int { 128 }
    private static var copyBytes: Int { 32 * blockBytes }

    @inline(__always)
    static func compute(_ raw: UnsafeRawPointer, ofPairs: Bool) {
      let arguments = raw.assumingMemoryBound(to: IntegerTileArguments.self)
      let rows = arguments.pointee.rows
      let upper = min(rows, 16)
      let lower = rows &- upper
      if arguments.pointee.shapedRows[0] != rows {
        matrixTilesConfigure(Int32(upper), Int32(max(lower, 1)))
        arguments.pointee.shapedRows[0] = rows
      }
      withUnsafeTemporaryAllocation(
        byteCount: 2 &* copyBytes &+ blockQuads &* quadBytes, alignment: 64
      ) { memory in
        guard let copies = memory.baseAddress else { return }
        matrixTilesBegin(arguments.pointee.start)
        addProducts(arguments, copies, hasLower: lower > 0, ofPairs: ofPairs)
        matrixTilesEnd(arguments.pointee.sums, Int32(upper), lower > 0 ? 1 : 0)
      }
    }

    @inline(__always)
    private static func addProducts(
      _ arguments: UnsafePointer<IntegerTileArguments>, _ copies: UnsafeMutableRawPointer,
      hasLower: Bool, ofPairs: Bool
    ) {
      let quads = arguments.pointee.quads
      let blocks = (quads &+ blockQuads &- 1) / blockQuads
      let count = arguments.pointee.taps &* blocks
      let rest = copies + 2 &* copyBytes
      var weights = UnsafeRawPointer(arguments.pointee.weights)
      var rows = BlockRows(arguments)
      var x = rows.take(copies)
      for index in 0..<count {
        let taken = min(blockQuads, quads &- rows.takenBlock &* blockQuads)
        var factors = weights
        if taken < blockQuads {
          rest.initializeMemory(as: UInt8.self, repeating: 0, count: blockQuads &* quadBytes)
          rest.copyMemory(from: weights, byteCount: taken &* quadBytes)
          factors = UnsafeRawPointer(rest)
        }
        weights += taken &* quadBytes
        let next =
          index &+ 1 < count ? rows.take(copies + ((index &+ 1) & 1) &* copyBytes) : x
        let block = factors.assumingMemoryBound(to: Int8.self)
        if ofPairs {
          matrixTilesAddPairs(x.first, x.stride, block, quadBytes, hasLower ? 1 : 0)
        } else {
          matrixTilesAdd(x.first, x.stride, block, quadBytes, hasLower ? 1 : 0)
        }
        x = next
      }
    }

    /// The rows of x, block after block of each tap.
    private struct BlockRows {
      private let arguments: UnsafePointer<IntegerTileArguments>
      private var pointers: UnsafePointer<UnsafePointer<UInt8>>
      private var firstByte = 0
      /// Bytes between the rows of this tap; 0 where they are not at one distance.
      private var distance = 0
      /// The block, within its tap, that was taken last.
      private(set) var takenBlock = 0

      @inline(__always)
      init(_ arguments: UnsafePointer<IntegerTileArguments>) {
        self.arguments = arguments
        pointers = arguments.pointee.pointers
      }

      @inline(__always)
      private mutating func findDistance() {
        let rows = arguments.pointee.rows
        let first = UInt(bitPattern: pointers[0])
        let step = rows > 1 ? UInt(bitPattern: pointers[1]) &- first : UInt(blockBytes)
        var expected = first
        var differences: UInt = 0
        for row in 0..<rows {
          differences |= UInt(bitPattern: pointers[row]) ^ expected
          expected &+= step
        }
        distance = differences == 0 ? Int(bitPattern: step) : 0
      }

      @inline(__always)
      mutating func take(
        _ copy: UnsafeMutableRawPointer
      ) -> (first: UnsafePointer<UInt8>, stride: Int) {
        if firstByte == 0 { findDistance() }
        let bytes = min(blockBytes, arguments.pointee.runBytes &- firstByte)
        takenBlock = firstByte / blockBytes
        var result = (first: pointers[0] + firstByte, stride: distance)
        if distance == 0 || bytes < blockBytes {
          copyRows(bytes, copy)
          result = (UnsafePointer(copy.assumingMemoryBound(to: UInt8.self)), blockBytes)
        }
        firstByte &+= blockBytes
        if firstByte >= arguments.pointee.quads &* 4 {
          firstByte = 0
          pointers += arguments.pointee.rows
        }
        return result
      }

      /// Copies a block of the run of one tap of all rows, zeros behind its end.
      @inline(__always)
      private func copyRows(_ bytes: Int, _ target: UnsafeMutableRawPointer) {
        for row in 0..<arguments.pointee.rows {
          let x = ByteColumns.load(pointers[row] + firstByte, count: bytes)
          IntegerLanes.store(x, target + row &* blockBytes)
        }
      }
    }
  }
#endif
