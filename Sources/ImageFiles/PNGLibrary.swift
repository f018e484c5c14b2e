import DynamicLibraries

/// libpng, by its simplified interface of version 1.6.
struct PNGLibrary: Sendable {
  private let beginRead: @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int) -> Int32
  private let finishRead:
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeRawPointer?, UnsafeMutableRawPointer?, Int32,
      UnsafeMutableRawPointer?
    ) -> Int32
  private let free: @convention(c) (UnsafeMutableRawPointer?) -> Void

  private static let result = Result { () throws(ImageError) in try PNGLibrary() }

  static func shared() throws(ImageError) -> PNGLibrary { try result.get() }

  private init() throws(ImageError) {
    guard let library = DynamicLibrary(firstOf: ["libpng16.so.16", "libpng16.16.dylib"]) else {
      throw ImageError(
        "is PNG, which needs the library libpng: install it (apt install libpng16-16)")
    }
    beginRead = try library.function("png_image_begin_read_from_memory")
    finishRead = try library.function("png_image_finish_read")
    free = try library.function("png_image_free")
  }

  /// Where the fields of `png_image` are, after a pointer.
  private enum Field {
    static let version = 8
    static let width = 12
    static let height = 16
    static let format = 20
    static let message = 36
    static let messageSize = 64
    /// All of them, and room for a later version's.
    static let byteCount = 256
  }

  private static let version: UInt32 = 1
  /// Red, green, blue and alpha.
  private static let rgba: UInt32 = 3

  func decode(
    _ bytes: UnsafeRawBufferPointer, _ limits: ImageFile.Limits
  ) throws(ImageError) -> Image {
    let image = UnsafeMutableRawBufferPointer.allocate(byteCount: Field.byteCount, alignment: 16)
    defer { image.deallocate() }
    image.initializeMemory(as: UInt8.self, repeating: 0)
    image.storeBytes(of: Self.version, toByteOffset: Field.version, as: UInt32.self)
    defer { free(image.baseAddress) }
    func failure() -> ImageError {
      let text = image[Field.message..<(Field.message + Field.messageSize)].prefix { $0 != 0 }
      return ImageError("cannot be decoded: \(String(decoding: text, as: UTF8.self))")
    }
    guard beginRead(image.baseAddress, bytes.baseAddress, bytes.count) != 0 else {
      throw failure()
    }
    let width = Int(image.load(fromByteOffset: Field.width, as: UInt32.self))
    let height = Int(image.load(fromByteOffset: Field.height, as: UInt32.self))
    let count = try ImageFile.pixelCount(width: width, height: height, limits)
    image.storeBytes(of: Self.rgba, toByteOffset: Field.format, as: UInt32.self)
    var colors = [UInt8](repeating: 0, count: 4 * count)
    let status = colors.withUnsafeMutableBytes { target in
      finishRead(image.baseAddress, nil, target.baseAddress, Int32(4 * width), nil)
    }
    guard status != 0 else { throw failure() }
    var pixels = [UInt8](repeating: 0, count: 3 * count)
    for pixel in 0..<count {
      for channel in 0..<3 { pixels[3 * pixel + channel] = colors[4 * pixel + channel] }
    }
    return Image(width: width, height: height, pixels: pixels)
  }
}
