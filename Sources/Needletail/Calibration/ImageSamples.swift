import ImageFiles
import TensorModel

/// How the images of a calibration set become numbers: resized, cut to the middle, and normalised as
/// `(value / 255 - mean) / deviation`.
public struct ImageOptions: Sendable, Hashable {
  /// The order of an image's axes in a network's input.
  public enum Layout: String, Sendable, Hashable, CaseIterable {
    /// Channels before rows and columns.
    case nchw
    /// Channels last.
    case nhwc
  }

  /// The length of the shorter side after resizing, before the middle is cut out; nil for the least that
  /// covers what the network takes.
  public var size: Int?
  /// One number for each channel, or one for all, of values from 0 to 1.
  public var mean: [Double]
  /// Likewise; none is zero.
  public var deviation: [Double]
  /// Nil for what the input's shape says.
  public var layout: Layout?

  /// The defaults give numbers from 0 to 1.
  public init(
    size: Int? = nil, mean: [Double] = [0], deviation: [Double] = [1], layout: Layout? = nil
  ) {
    self.size = size
    self.mean = mean
    self.deviation = deviation
    self.layout = layout
  }

  var isDefault: Bool { self == ImageOptions() }
}

/// Image files as samples of one input, decoded when they are asked for.
struct ImageSamples: Sendable {
  let paths: [String]
  private let preparation: ImagePreparation
  private let normalizes: Bool

  /// - Throws: `NeedletailError` where the input takes no images, or options are no fit.
  init(
    _ paths: [String], type: TensorType, name: String, options: ImageOptions
  ) throws(NeedletailError) {
    self.paths = paths
    let isNumber = [.float32, .float64, .float16, .uint8].contains(type.dataType)
    guard type.rank == 4, isNumber else {
      throw NeedletailError(
        .input, "input '\(name)' is \(type); images are for one of four axes of floats or uint8")
    }
    normalizes = type.dataType != .uint8
    guard normalizes || options.mean == [0] && options.deviation == [1] else {
      throw NeedletailError(
        .input,
        "input '\(name)' takes uint8: images are given as they are, without mean and deviation")
    }
    let extents = type.shape.dimensions.map(\.constant)
    func holds(_ axis: Int) -> Bool { extents[axis] == 3 || extents[axis] == 1 }
    let isLast = options.layout.map { $0 == .nhwc } ?? (!holds(1) && holds(3))
    let channelAxis = isLast ? 3 : 1
    let channels = extents[channelAxis] ?? 3
    guard channels == 3 || channels == 1 else {
      throw NeedletailError(
        .input,
        "input '\(name)' has shape \(type.shape): axis \(channelAxis) has \(channels) channels, images "
          + "have 3 or 1; the layout may be the other one")
    }
    for (what, numbers) in [("mean", options.mean), ("deviation", options.deviation)] {
      guard numbers.count == 1 || numbers.count == channels, numbers.allSatisfy(\.isFinite) else {
        throw NeedletailError(
          .input, "the \(what) has \(numbers.count) numbers for \(channels) channels")
      }
    }
    guard !options.deviation.contains(0), options.size ?? 1 > 0, options.size ?? 1 <= 1 << 14 else {
      throw NeedletailError(
        .input, "an image size must be from 1 to \(1 << 14), and no deviation may be zero")
    }
    let first = isLast ? 1 : 2
    guard let height = extents[first] ?? options.size,
      let width = extents[first + 1] ?? options.size
    else {
      throw NeedletailError(
        .input, "input '\(name)' takes images of any size (\(type.shape)): give an image size")
    }
    preparation = ImagePreparation(
      shorterSide: options.size, height: height, width: width, channels: channels,
      mean: options.mean, deviation: options.deviation, isChannelsLast: isLast)
  }

  /// A batch of images.
  func tensor(_ range: Range<Int>, _ type: DataType) throws(NeedletailError) -> Tensor {
    var numbers: [Float] = []
    for path in paths[range] {
      let image: Image
      do { image = try ImageFile.read(path) } catch {
        throw NeedletailError(.input, error.description)
      }
      do { numbers += try preparation.numbers(image, normalizes: normalizes) } catch {
        throw NeedletailError(.input, "image '\(path)' \(error.description)")
      }
    }
    let picture = [preparation.height, preparation.width]
    let sample =
      preparation.isChannelsLast
      ? picture + [preparation.channels] : [preparation.channels] + picture
    let shape = [range.count] + sample
    do {
      if type == .float32 { return try Tensor(numbers, shape: shape) }
      if normalizes {
        return try Tensor(numbers: numbers.map { Double($0) }, dataType: type, shape: shape)
      }
      let bytes = numbers.map { UInt8(min(max($0.rounded(.toNearestOrEven), 0), 255)) }
      return try Tensor(bytes, shape: shape)
    } catch { throw NeedletailError(.input, error.description) }
  }
}
