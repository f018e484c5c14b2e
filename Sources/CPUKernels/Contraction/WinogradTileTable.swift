import CPUKernelInterface

#if NEEDLETAIL_AVX512
  func winogradTiles() -> [ContractionVariant] {
    let width = Lanes.count
    return [
      ContractionVariant(rows: 28, columns: 1 * width) { tile1($0) },
      ContractionVariant(rows: 14, columns: 2 * width) { tile2($0) },
    ]
  }

  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: WinogradTileArguments.self).pointee.rows {
    case 1: WinogradTile<1, 0, 1>.compute(arguments)
    case 2: WinogradTile<1, 1, 1>.compute(arguments)
    case 3: WinogradTile<2, 1, 1>.compute(arguments)
    case 4: WinogradTile<2, 2, 1>.compute(arguments)
    case 5: WinogradTile<3, 2, 1>.compute(arguments)
    case 6: WinogradTile<3, 3, 1>.compute(arguments)
    case 7: WinogradTile<4, 3, 1>.compute(arguments)
    case 8: WinogradTile<4, 4, 1>.compute(arguments)
    case 9: WinogradTile<5, 4, 1>.compute(arguments)
    case 10: WinogradTile<5, 5, 1>.compute(arguments)
    case 11: WinogradTile<6, 5, 1>.compute(arguments)
    case 12: WinogradTile<6, 6, 1>.compute(arguments)
    case 13: WinogradTile<7, 6, 1>.compute(arguments)
    case 14: WinogradTile<7, 7, 1>.compute(arguments)
    case 15: WinogradTile<8, 7, 1>.compute(arguments)
    case 16: WinogradTile<8, 8, 1>.compute(arguments)
    case 17: WinogradTile<9, 8, 1>.compute(arguments)
    case 18: WinogradTile<9, 9, 1>.compute(arguments)
    case 19: WinogradTile<10, 9, 1>.compute(arguments)
    case 20: WinogradTile<10, 10, 1>.compute(arguments)
    case 21: WinogradTile<11, 10, 1>.compute(arguments)
    case 22: WinogradTile<11, 11, 1>.compute(arguments)
    case 23: WinogradTile<12, 11, 1>.compute(arguments)
    case 24: WinogradTile<12, 12, 1>.compute(arguments)
    case 25: WinogradTile<13, 12, 1>.compute(arguments)
    case 26: WinogradTile<13, 13, 1>.compute(arguments)
    case 27: WinogradTile<14, 13, 1>.compute(arguments)
    default: WinogradTile<14, 14, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: WinogradTileArguments.self).pointee.rows {
    case 1: WinogradTile<1, 0, 2>.compute(arguments)
    case 2: WinogradTile<1, 1, 2>.compute(arguments)
    case 3: WinogradTile<2, 1, 2>.compute(arguments)
    case 4: WinogradTile<2, 2, 2>.compute(arguments)
    case 5: WinogradTile<3, 2, 2>.compute(arguments)
    case 6: WinogradTile<3, 3, 2>.compute(arguments)
    case 7: WinogradTile<4, 3, 2>.compute(arguments)
    case 8: WinogradTile<4, 4, 2>.compute(arguments)
    case 9: WinogradTile<5, 4, 2>.compute(arguments)
    case 10: WinogradTile<5, 5, 2>.compute(arguments)
    case 11: WinogradTile<6, 5, 2>.compute(arguments)
    case 12: WinogradTile<6, 6, 2>.compute(arguments)
    case 13: WinogradTile<7, 6, 2>.compute(arguments)
    default: WinogradTile<7, 7, 2>.compute(arguments)
    }
  }

#elseif NEEDLETAIL_AVX2
  func winogradTiles() -> [ContractionVariant] {
    let width = Lanes.count
    return [
      ContractionVariant(rows: 6, columns: 2 * width) { tile2($0) },
      ContractionVariant(rows: 12, columns: 1 * width) { tile1($0) },
    ]
  }

  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: WinogradTileArguments.self).pointee.rows {
    case 1: WinogradTile<1, 0, 1>.compute(arguments)
    case 2: WinogradTile<1, 1, 1>.compute(arguments)
    case 3: WinogradTile<2, 1, 1>.compute(arguments)
    case 4: WinogradTile<2, 2, 1>.compute(arguments)
    case 5: WinogradTile<3, 2, 1>.compute(arguments)
    case 6: WinogradTile<3, 3, 1>.compute(arguments)
    case 7: WinogradTile<4, 3, 1>.compute(arguments)
    case 8: WinogradTile<4, 4, 1>.compute(arguments)
    case 9: WinogradTile<5, 4, 1>.compute(arguments)
    case 10: WinogradTile<5, 5, 1>.compute(arguments)
    case 11: WinogradTile<6, 5, 1>.compute(arguments)
    default: WinogradTile<6, 6, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: WinogradTileArguments.self).pointee.rows {
    case 1: WinogradTile<1, 0, 2>.compute(arguments)
    case 2: WinogradTile<1, 1, 2>.compute(arguments)
    case 3: WinogradTile<2, 1, 2>.compute(arguments)
    case 4: WinogradTile<2, 2, 2>.compute(arguments)
    case 5: WinogradTile<3, 2, 2>.compute(arguments)
    default: WinogradTile<3, 3, 2>.compute(arguments)
    }
  }
#else
  func winogradTiles() -> [ContractionVariant] {
    [ContractionVariant(rows: 6, columns: 2 * Lanes.count) { tile2($0) }]
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: WinogradTileArguments.self).pointee.rows {
    case 1: WinogradTile<1, 0, 2>.compute(arguments)
    case 2: WinogradTile<1, 1, 2>.compute(arguments)
    case 3: WinogradTile<2, 1, 2>.compute(arguments)
    case 4: WinogradTile<2, 2, 2>.compute(arguments)
    case 5: WinogradTile<3, 2, 2>.compute(arguments)
    default: WinogradTile<3, 3, 2>.compute(arguments)
    }
  }
#endif
