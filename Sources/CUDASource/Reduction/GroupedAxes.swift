import ProgramModel
import TensorModel

/// The axes of a step split in two: the kept ones, one coordinate for each group of elements that
/// are taken together, and those inside a group.
///
/// Views are numbered: 0 is x, 1 the output, the others follow. Axes lie outermost first by x's
/// strides.
struct GroupedAxes: Hashable, Sendable {
  struct Axis: Hashable, Sendable {
    var extent: Int
    /// The stride of each view, in elements; 0 where it repeats.
    var strides: [Int]
    var isKept: Bool
  }

  let kept: IndexSpace
  /// Where `groupSize` is 0, a space of one element that nothing may visit.
  let group: IndexSpace
  let keptCount: Int
  let groupSize: Int

  init(_ axes: [Axis], viewCount: Int) {
    let ordered = axes.enumerated().sorted { a, b in
      let (x, y) = (Self.distances(a.element), Self.distances(b.element))
      return x == y ? a.offset < b.offset : y.lexicographicallyPrecedes(x)
    }.map(\.element)
    let keptAxes = ordered.filter(\.isKept), groupAxes = ordered.filter { !$0.isKept }
    kept = Self.space(keptAxes, viewCount: viewCount)
    group = Self.space(groupAxes, viewCount: viewCount)
    keptCount = keptAxes.reduce(1) { $0 * $1.extent }
    groupSize = groupAxes.reduce(1) { $0 * $1.extent }
  }

  private static func distances(_ axis: Axis) -> [Int] { axis.strides.prefix(2).map(abs) }

  private static func space(_ axes: [Axis], viewCount: Int) -> IndexSpace {
    IndexSpace(
      shape: axes.map { max($0.extent, 1) },
      strides: (0..<viewCount).map { view in axes.map { $0.strides[view] } })
  }

  /// Neighbours of a view that can be moved at once along the innermost axis of a space: a power of
  /// two up to `limit`, 1 where they do not lie side by side and aligned.
  func vectorWidth(along space: IndexSpace, view: Int, of place: View, limit: Int) -> Int {
    let other = space == kept ? group : kept
    let inner = space.extents.count - 1
    guard space.strides[view][inner] == 1 else { return 1 }
    let size = place.dataType.byteCount
    var width = max(min(limit, 16 / max(size, 1)), 1)
    func fits(_ width: Int) -> Bool {
      space.extents[inner] % width == 0 && place.byteOffset % (width * size) == 0
        && space.strides[view].dropLast().allSatisfy { $0 % width == 0 }
        && other.strides[view].allSatisfy { $0 % width == 0 }
    }
    while width > 1, !fits(width) { width /= 2 }
    return width
  }
}

extension IndexSpace {
  /// The distance between neighbours of a view.
  func innerStride(view: Int) -> Int { strides[view].last ?? 0 }
}
