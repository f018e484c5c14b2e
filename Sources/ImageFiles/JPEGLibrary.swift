import DynamicLibraries

/// libjpeg-turbo, by its TurboJPEG interface of version 1.2 and later.
struct JPEGLibrary: Sendable {

  private let create: @convention(c) () -> UnsafeMutableRawPointer?
  private let destroy: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  private let readHeader:
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafePointer<UInt8>?, CUnsignedLong, UnsafeMutablePointer<Int32>?,
      UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?
    ) -> Int32
  private let decompress:
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafePointer<UInt8>?, CUnsignedLong, UnsafeMutablePointer<UInt8>?,
      Int32, Int32, Int32, Int32, Int32
    ) -> Int32
  private let errorText: @convention(c) (UnsafeMutableRawPointer?) -> UnsafePointer<CChar>?

  private static let result = Result { () throws(ImageError) in try JPEGLibrary() }

  static func shared() throws(ImageError) -> JPEGLibrary { try result.get() }

  private init() throws(ImageError) {
    guard let library = DynamicLibrary(firstOf: ["libturbojpeg.so.0", "libturbojpeg.dylib"]) else {
      throw ImageError(
        "is JPEG, which needs the library libturbojpeg: install it (apt install libturbojpeg0)")
    }
    create = try library.function("tjInitDecompress")
    destroy = try library.function("tjDestroy")
    readHeader = try library.function("tjDecompressHeader3")
    decompress = try library.function("tjDecompress2")
    errorText = try library.function("tjGetErrorStr2")
  }

  private static let rgb: Int32 = 0
  /// Color spaces of four channels: CMYK and YCCK.
  private static let fourChannels: ClosedRange<Int32> = 3...4
  private static let accurateTransform: Int32 = 4096
  private static let limitsScans: Int32 = 32768

  func decode(
    _ bytes: UnsafeRawBufferPointer, _ limits: ImageFile.Limits
  ) throws(ImageError) -> Image {
    guard let handle = create() else { throw ImageError("cannot be decoded: out of memory") }
    defer { _ = destroy(handle) }
    func failure() -> ImageError {
      let text = errorText(handle).map { String(cString: $0) } ?? "unknown error"
      return ImageError("cannot be decoded: \(text)")
    }
    let source = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
    let size = CUnsignedLong(bytes.count)
    var (width, height, sampling, space) = (Int32(0), Int32(0), Int32(0), Int32(0))
    guard readHeader(handle, source, size, &width, &height, &sampling, &space) == 0 else {
      throw failure()
    }
    guard !Self.fourChannels.contains(space) else {
      throw ImageError("has four channels (CMYK), expected gray or color of three")
    }
    let count = try ImageFile.pixelCount(width: Int(width), height: Int(height), limits)
    var pixels = [UInt8](repeating: 0, count: 3 * count)
    let status = pixels.withUnsafeMutableBufferPointer { target in
      decompress(
        handle, source, size, target.baseAddress, width, 3 * width, height, Self.rgb,
        Self.accurateTransform | Self.limitsScans)
    }
    guard status == 0 else { throw failure() }
    return Image(width: Int(width), height: Int(height), pixels: pixels)
  }
}
