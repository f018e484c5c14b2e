import CPUKernelInterface

#if NEEDLETAIL_VNNI
  func integerVariants() -> [IntegerVariant] {
    let width = IntegerLanes.count
    return [
      IntegerVariant(rows: 6, columns: 4 * width) { tile4($0) },
      IntegerVariant(rows: 8, columns: 3 * width) { tile3($0) },
      IntegerVariant(rows: 10, columns: 2 * width) { tile2($0) },
      IntegerVariant(rows: 10, columns: 1 * width) { tile1($0) },
    ]
  }

  /// Tiles of 3 vectors of columns.
  private func tile3(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 3>.compute(arguments)
    case 2: IntegerTile<2, 3>.compute(arguments)
    case 3: IntegerTile<3, 3>.compute(arguments)
    case 4: IntegerTile<4, 3>.compute(arguments)
    case 5: IntegerTile<5, 3>.compute(arguments)
    case 6: IntegerTile<6, 3>.compute(arguments)
    case 7: IntegerTile<7, 3>.compute(arguments)
    default: IntegerTile<8, 3>.compute(arguments)
    }
  }

  /// Tiles of 4 vectors of columns.
  private func tile4(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 4>.compute(arguments)
    case 2: IntegerTile<2, 4>.compute(arguments)
    case 3: IntegerTile<3, 4>.compute(arguments)
    case 4: IntegerTile<4, 4>.compute(arguments)
    case 5: IntegerTile<5, 4>.compute(arguments)
    default: IntegerTile<6, 4>.compute(arguments)
    }
  }
#elseif NEEDLETAIL_AVX512
  func integerVariants() -> [IntegerVariant] {
    let width = IntegerLanes.count
    return [
      IntegerVariant(rows: 5, columns: 4 * width) { tile4($0) },
      IntegerVariant(rows: 10, columns: 2 * width) { tile2($0) },
      IntegerVariant(rows: 10, columns: 1 * width) { tile1($0) },
    ]
  }

  /// Tiles of 4 vectors of columns.
  private func tile4(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 4>.compute(arguments)
    case 2: IntegerTile<2, 4>.compute(arguments)
    case 3: IntegerTile<3, 4>.compute(arguments)
    case 4: IntegerTile<4, 4>.compute(arguments)
    default: IntegerTile<5, 4>.compute(arguments)
    }
  }
#else
  func integerVariants() -> [IntegerVariant] {
    let width = IntegerLanes.count
    return [
      IntegerVariant(rows: 4, columns: 2 * width) { tile2($0) },
      IntegerVariant(rows: 8, columns: 1 * width) { tile1($0) },
    ]
  }
#endif

#if NEEDLETAIL_VNNI || NEEDLETAIL_AVX512
  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 1>.compute(arguments)
    case 2: IntegerTile<2, 1>.compute(arguments)
    case 3: IntegerTile<3, 1>.compute(arguments)
    case 4: IntegerTile<4, 1>.compute(arguments)
    case 5: IntegerTile<5, 1>.compute(arguments)
    case 6: IntegerTile<6, 1>.compute(arguments)
    case 7: IntegerTile<7, 1>.compute(arguments)
    case 8: IntegerTile<8, 1>.compute(arguments)
    case 9: IntegerTile<9, 1>.compute(arguments)
    default: IntegerTile<10, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 2>.compute(arguments)
    case 2: IntegerTile<2, 2>.compute(arguments)
    case 3: IntegerTile<3, 2>.compute(arguments)
    case 4: IntegerTile<4, 2>.compute(arguments)
    case 5: IntegerTile<5, 2>.compute(arguments)
    case 6: IntegerTile<6, 2>.compute(arguments)
    case 7: IntegerTile<7, 2>.compute(arguments)
    case 8: IntegerTile<8, 2>.compute(arguments)
    case 9: IntegerTile<9, 2>.compute(arguments)
    default: IntegerTile<10, 2>.compute(arguments)
    }
  }
#else
  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 1>.compute(arguments)
    case 2: IntegerTile<2, 1>.compute(arguments)
    case 3: IntegerTile<3, 1>.compute(arguments)
    case 4: IntegerTile<4, 1>.compute(arguments)
    case 5: IntegerTile<5, 1>.compute(arguments)
    case 6: IntegerTile<6, 1>.compute(arguments)
    case 7: IntegerTile<7, 1>.compute(arguments)
    default: IntegerTile<8, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: IntegerTileArguments.self).pointee.rows {
    case 1: IntegerTile<1, 2>.compute(arguments)
    case 2: IntegerTile<2, 2>.compute(arguments)
    case 3: IntegerTile<3, 2>.compute(arguments)
    default: IntegerTile<4, 2>.compute(arguments)
    }
  }
#endif
