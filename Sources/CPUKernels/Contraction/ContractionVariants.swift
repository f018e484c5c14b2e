import CPUKernelInterface

// Loops over ten rows and more are not unrolled, and their sums would not stay in registers.
#if NEEDLETAIL_AVX512
  func contractionVariants() -> [ContractionVariant] {
    let width = Lanes.count
    return [
      ContractionVariant(rows: 6, columns: 4 * width) { tile4($0) },
      ContractionVariant(rows: 8, columns: 3 * width) { tile3($0) },
      ContractionVariant(rows: 5, columns: 5 * width) { tile5($0) },
      ContractionVariant(rows: 9, columns: 2 * width) { tile2($0) },
      ContractionVariant(rows: 9, columns: 1 * width) { tile1($0) },
    ]
  }

  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 1>.compute(arguments)
    case 2: ContractionTile<2, 1>.compute(arguments)
    case 3: ContractionTile<3, 1>.compute(arguments)
    case 4: ContractionTile<4, 1>.compute(arguments)
    case 5: ContractionTile<5, 1>.compute(arguments)
    case 6: ContractionTile<6, 1>.compute(arguments)
    case 7: ContractionTile<7, 1>.compute(arguments)
    case 8: ContractionTile<8, 1>.compute(arguments)
    default: ContractionTile<9, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 2>.compute(arguments)
    case 2: ContractionTile<2, 2>.compute(arguments)
    case 3: ContractionTile<3, 2>.compute(arguments)
    case 4: ContractionTile<4, 2>.compute(arguments)
    case 5: ContractionTile<5, 2>.compute(arguments)
    case 6: ContractionTile<6, 2>.compute(arguments)
    case 7: ContractionTile<7, 2>.compute(arguments)
    case 8: ContractionTile<8, 2>.compute(arguments)
    default: ContractionTile<9, 2>.compute(arguments)
    }
  }

  /// Tiles of 3 vectors of columns.
  private func tile3(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 3>.compute(arguments)
    case 2: ContractionTile<2, 3>.compute(arguments)
    case 3: ContractionTile<3, 3>.compute(arguments)
    case 4: ContractionTile<4, 3>.compute(arguments)
    case 5: ContractionTile<5, 3>.compute(arguments)
    case 6: ContractionTile<6, 3>.compute(arguments)
    case 7: ContractionTile<7, 3>.compute(arguments)
    default: ContractionTile<8, 3>.compute(arguments)
    }
  }

  /// Tiles of 4 vectors of columns.
  private func tile4(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 4>.compute(arguments)
    case 2: ContractionTile<2, 4>.compute(arguments)
    case 3: ContractionTile<3, 4>.compute(arguments)
    case 4: ContractionTile<4, 4>.compute(arguments)
    case 5: ContractionTile<5, 4>.compute(arguments)
    default: ContractionTile<6, 4>.compute(arguments)
    }
  }

  /// Tiles of 5 vectors of columns.
  private func tile5(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 5>.compute(arguments)
    case 2: ContractionTile<2, 5>.compute(arguments)
    case 3: ContractionTile<3, 5>.compute(arguments)
    case 4: ContractionTile<4, 5>.compute(arguments)
    default: ContractionTile<5, 5>.compute(arguments)
    }
  }
#elseif NEEDLETAIL_AVX2
  func contractionVariants() -> [ContractionVariant] {
    let width = Lanes.count
    return [
      ContractionVariant(rows: 6, columns: 2 * width) { tile2($0) },
      ContractionVariant(rows: 4, columns: 3 * width) { tile3($0) },
      ContractionVariant(rows: 9, columns: 1 * width) { tile1($0) },
    ]
  }

  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 1>.compute(arguments)
    case 2: ContractionTile<2, 1>.compute(arguments)
    case 3: ContractionTile<3, 1>.compute(arguments)
    case 4: ContractionTile<4, 1>.compute(arguments)
    case 5: ContractionTile<5, 1>.compute(arguments)
    case 6: ContractionTile<6, 1>.compute(arguments)
    case 7: ContractionTile<7, 1>.compute(arguments)
    case 8: ContractionTile<8, 1>.compute(arguments)
    default: ContractionTile<9, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 2>.compute(arguments)
    case 2: ContractionTile<2, 2>.compute(arguments)
    case 3: ContractionTile<3, 2>.compute(arguments)
    case 4: ContractionTile<4, 2>.compute(arguments)
    case 5: ContractionTile<5, 2>.compute(arguments)
    default: ContractionTile<6, 2>.compute(arguments)
    }
  }

  /// Tiles of 3 vectors of columns.
  private func tile3(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 3>.compute(arguments)
    case 2: ContractionTile<2, 3>.compute(arguments)
    case 3: ContractionTile<3, 3>.compute(arguments)
    default: ContractionTile<4, 3>.compute(arguments)
    }
  }
#else
  func contractionVariants() -> [ContractionVariant] {
    let width = Lanes.count
    return [
      ContractionVariant(rows: 4, columns: 2 * width) { tile2($0) },
      ContractionVariant(rows: 8, columns: 1 * width) { tile1($0) },
    ]
  }

  /// Tiles of 1 vector of columns.
  private func tile1(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 1>.compute(arguments)
    case 2: ContractionTile<2, 1>.compute(arguments)
    case 3: ContractionTile<3, 1>.compute(arguments)
    case 4: ContractionTile<4, 1>.compute(arguments)
    case 5: ContractionTile<5, 1>.compute(arguments)
    case 6: ContractionTile<6, 1>.compute(arguments)
    case 7: ContractionTile<7, 1>.compute(arguments)
    default: ContractionTile<8, 1>.compute(arguments)
    }
  }

  /// Tiles of 2 vectors of columns.
  private func tile2(_ arguments: UnsafeRawPointer) {
    switch arguments.assumingMemoryBound(to: ContractionTileArguments.self).pointee.rows {
    case 1: ContractionTile<1, 2>.compute(arguments)
    case 2: ContractionTile<2, 2>.compute(arguments)
    case 3: ContractionTile<3, 2>.compute(arguments)
    default: ContractionTile<4, 2>.compute(arguments)
    }
  }
#endif
