import DynamicLibraries
import Foundation
import Synchronization

/// cuBLASLt, where it is installed: another way to multiply matrices, never the only one.
///
/// Source: cuBLAS reference, section "Using the cuBLASLt API", version 12.0 and up.
package final class MatrixLibrary: Sendable {
  private typealias Status = Int32
  private typealias Pointer = UnsafeMutableRawPointer
  private typealias Out = UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private typealias SetAttribute = @convention(c) (Pointer?, Int32, UnsafeRawPointer, Int) -> Status
  private typealias Destroy = @convention(c) (Pointer?) -> Status
  private typealias Suggest =
    @convention(c) (
      Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Pointer?, Int32, Pointer,
      UnsafeMutablePointer<Int32>
    ) -> Status
  private typealias Multiply =
    @convention(c) (
      Pointer?, Pointer?, UnsafeRawPointer, Pointer?, Pointer?, Pointer?, Pointer?,
      UnsafeRawPointer, Pointer?, Pointer?, Pointer?, Pointer?, UnsafeRawPointer, Pointer?, Int,
      Pointer?
    ) -> Status

  private let gpu: GPU
  private let handle: Handle
  private let createOperation: @convention(c) (Out, Int32, Int32) -> Status
  private let setOperation: SetAttribute
  private let destroyOperation: Destroy
  private let createLayout: @convention(c) (Out, Int32, UInt64, UInt64, Int64) -> Status
  private let destroyLayout: Destroy
  private let createPreference: @convention(c) (Out) -> Status
  private let setPreference: SetAttribute
  private let destroyPreference: Destroy
  private let suggest: Suggest
  private let multiply: Multiply

  /// The newest library that was found; nil where there is none. Nothing is opened.
  package static func path(newestMajor: Int) -> String? {
    CompilerSearch(newestMajor: newestMajor).path(of: "libcublasLt", package: "cublas")
  }

  package init(_ gpu: GPU) throws(CUDAError) {
    guard let path = Self.path(newestMajor: gpu.driver.version / 1000),
      let library = DynamicLibrary(path)
    else { throw CUDAError(.driver, "cuBLASLt was not found") }
    self.gpu = gpu
    createOperation = try library.function("cublasLtMatmulDescCreate")
    setOperation = try library.function("cublasLtMatmulDescSetAttribute")
    destroyOperation = try library.function("cublasLtMatmulDescDestroy")
    createLayout = try library.function("cublasLtMatrixLayoutCreate")
    destroyLayout = try library.function("cublasLtMatrixLayoutDestroy")
    createPreference = try library.function("cublasLtMatmulPreferenceCreate")
    setPreference = try library.function("cublasLtMatmulPreferenceSetAttribute")
    destroyPreference = try library.function("cublasLtMatmulPreferenceDestroy")
    suggest = try library.function("cublasLtMatmulAlgoGetHeuristic")
    multiply = try library.function("cublasLtMatmul")
    let create: @convention(c) (Out) -> Status = try library.function("cublasLtCreate")
    try gpu.makeCurrent()
    var pointer: UnsafeMutableRawPointer?
    try Self.check(create(&pointer), "cublasLtCreate")
    guard let pointer else { throw CUDAError(.driver, "cuBLASLt gave no handle") }
    handle = Handle(pointer)
  }

  private static func check(_ status: Status, _ operation: String) throws(CUDAError) {
    guard status == 0 else { throw CUDAError(.driver, "\(operation) gave status \(status)") }
  }

  /// A matrix in device memory, column by column.
  package struct Matrix: Sendable {
    package var address: UInt64
    package var rows: Int
    package var columns: Int
    /// Elements from one column to the next.
    package var leading: Int
    package var isTransposed: Bool

    package init(address: UInt64, rows: Int, columns: Int, leading: Int, isTransposed: Bool) {
      self.address = address
      self.rows = rows
      self.columns = columns
      self.leading = leading
      self.isTransposed = isTransposed
    }
  }

  /// `result = a * b + added + bias` in single precision, with one number of the bias for each row.
  package struct Product: Sendable {
    package var a: Matrix
    package var b: Matrix
    package var result: Matrix
    package var added: UInt64?
    package var bias: UInt64?
    package var workspace: UInt64
    package var workspaceBytes: Int
    /// Which of the library's suggestions, from 0.
    package var choice: Int

    package init(
      a: Matrix, b: Matrix, result: Matrix, added: UInt64?, bias: UInt64?, workspace: UInt64,
      workspaceBytes: Int, choice: Int
    ) {
      self.a = a
      self.b = b
      self.result = result
      self.added = added
      self.bias = bias
      self.workspace = workspace
      self.workspaceBytes = workspaceBytes
      self.choice = choice
    }
  }

  /// CUDA_R_32F, CUBLAS_COMPUTE_32F.
  private static let single: Int32 = 0
  private static let computesInSingle: Int32 = 68
  /// cublasLtMatmulHeuristicResult_t: the algorithm in 64 bytes, then the workspace's size, status and more.
  private static let suggestionBytes = 96

  /// Puts the product into a stream.
  package func enqueue(_ product: Product, on stream: GPUStream) throws(CUDAError) {
    let operation = try object("cublasLtMatmulDescCreate") {
      createOperation($0, Self.computesInSingle, Self.single)
    }
    defer { _ = destroyOperation(operation.pointer) }
    try set(setOperation, operation, 3, Int32(product.a.isTransposed ? 1 : 0))
    try set(setOperation, operation, 4, Int32(product.b.isTransposed ? 1 : 0))
    if let bias = product.bias {
      // CUBLASLT_EPILOGUE_BIAS and its pointer.
      try set(setOperation, operation, 7, UInt32(4))
      try set(setOperation, operation, 8, bias)
    }
    let a = try layout(product.a)
    defer { _ = destroyLayout(a.pointer) }
    let b = try layout(product.b)
    defer { _ = destroyLayout(b.pointer) }
    let result = try layout(product.result)
    defer { _ = destroyLayout(result.pointer) }
    var suggestion = try suggestion(product, operation, a, b, result)
    let one: Float = 1
    let beta: Float = product.added == nil ? 0 : 1
    let status = multiply(
      handle.pointer, operation.pointer, [one], Self.pointer(product.a.address), a.pointer,
      Self.pointer(product.b.address), b.pointer, [beta],
      Self.pointer(product.added ?? product.result.address), result.pointer,
      Self.pointer(product.result.address), result.pointer, &suggestion,
      Self.pointer(product.workspace), product.workspaceBytes, stream.handle.pointer)
    try Self.check(status, "cublasLtMatmul")
  }

  private func suggestion(
    _ product: Product, _ operation: Handle, _ a: Handle, _ b: Handle, _ result: Handle
  ) throws(CUDAError) -> [UInt8] {
    let preference = try object("cublasLtMatmulPreferenceCreate") { createPreference($0) }
    defer { _ = destroyPreference(preference.pointer) }
    try set(setPreference, preference, 1, UInt64(product.workspaceBytes))
    // Operands may begin at any multiple of 16 bytes.
    for alignment: Int32 in 5...8 { try set(setPreference, preference, alignment, UInt32(16)) }
    let count = product.choice + 1
    var suggestions = [UInt8](repeating: 0, count: count * Self.suggestionBytes)
    var found: Int32 = 0
    let status = suggestions.withUnsafeMutableBytes { bytes -> Status in
      guard let base = bytes.baseAddress else { return -1 }
      return suggest(
        handle.pointer, operation.pointer, a.pointer, b.pointer, result.pointer, result.pointer,
        preference.pointer, Int32(count), base, &found)
    }
    try Self.check(status, "cublasLtMatmulAlgoGetHeuristic")
    guard found == count else {
      throw CUDAError(.declined, "cuBLASLt has \(found) ways for this product, not \(count)")
    }
    return Array(suggestions.suffix(Self.suggestionBytes))
  }

  private func layout(_ matrix: Matrix) throws(CUDAError) -> Handle {
    try object("cublasLtMatrixLayoutCreate") {
      createLayout(
        $0, Self.single, UInt64(matrix.rows), UInt64(matrix.columns), Int64(matrix.leading))
    }
  }

  private func object(_ name: String, _ create: (Out) -> Status) throws(CUDAError) -> Handle {
    var pointer: UnsafeMutableRawPointer?
    try Self.check(create(&pointer), name)
    guard let pointer else { throw CUDAError(.driver, "\(name) gave nothing") }
    return Handle(pointer)
  }

  private func set<T>(
    _ function: SetAttribute, _ object: Handle, _ attribute: Int32, _ value: T
  ) throws(CUDAError) {
    let status = withUnsafeBytes(of: value) { bytes -> Status in
      guard let base = bytes.baseAddress else { return -1 }
      return function(object.pointer, attribute, base, bytes.count)
    }
    try Self.check(status, "attribute \(attribute) of a product")
  }

  private static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(address))
  }
}
