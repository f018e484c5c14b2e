import KernelModel
import ProgramModel
import TensorModel

/// The operands of a sort step and the texts that all its kernels share.
///
/// Kernels sort items: a key, an unsigned number in the wanted order, above the element's index along the
/// axis. No two items of a lane are equal, so any way to sort them is stable.
struct SortShape {
  let problem: Sort
  let x, values, indices: View
  let extent, count: Int
  /// The axes but the sorted one, over x, values and indices.
  let lanes: IndexSpace

  init?(_ step: Step) {
    guard case .sort(let problem) = step.problem, let x = step.inputs.first ?? nil,
      step.outputs.count == 2
    else { return nil }
    self.problem = problem
    self.x = x
    values = step.outputs[0]
    indices = step.outputs[1]
    extent = x.shape[problem.axis]
    count = values.shape[problem.axis]
    let others = x.shape.indices.filter { $0 != problem.axis }
    lanes = IndexSpace(
      shape: others.map { x.shape[$0] },
      strides: [x, values, indices].map { view in others.map { view.strides[$0] } })
  }

  var isEmpty: Bool { values.elementCount == 0 }
  var laneCount: Int { lanes.elementCount }
  var storage: String { x.dataType.cudaStorage ?? "float" }

  /// Whether keys have 64 bits, and items a word more.
  var isWide: Bool {
    [.float64, .int64, .uint64].contains(x.dataType)
  }
  var itemBytes: Int { isWide ? 16 : 8 }
  /// Bytes of a key and an index in an item.
  var itemDigits: Int { isWide ? 12 : 8 }

  var parameters: [String] {
    [
      "const \(storage)* __restrict__ x", "\(storage)* __restrict__ values",
      "int64_t* __restrict__ indices",
    ]
  }
  let arguments: [KernelLaunch.Argument] = [.input(0), .output(0), .output(1)]

  /// Statements that declare `source`, `target` and `target_index`, where a lane begins in x, values and
  /// indices.
  func places(of lane: String) -> [String] {
    lanes.coordinates(of: lane, prefix: "l")
      + ["source", "target", "target_index"].enumerated().map { view, name in
        "const int \(name) = \(lanes.offset(view: view, prefix: "l"));"
      }
  }

  /// The item of element `i` of the lane at `source`.
  func item(_ i: String) -> String {
    let place = IndexText.sum([("source", 1), (i, x.strides[problem.axis])])
    return "make_item(sort_key(load(x[\(place)])), \(i))"
  }

  /// Statements that store an item as number `j` of the lane's results.
  func store(_ item: String, as j: String) -> [String] {
    let axis = problem.axis
    func place(_ base: String, _ stride: Int, _ i: String) -> String {
      IndexText.sum([(base, 1), (i, stride)])
    }
    return [
      "const int from = item_index(\(item));",
      "values[\(place("target", values.strides[axis], j))] = x[\(place("source", x.strides[axis], "from"))];",
      "indices[\(place("target_index", indices.strides[axis], j))] = from;",
    ]
  }

  /// Items and their order.
  var functions: String {
    let items =
      isWide
      ? """
      struct alignas(16) item_t { uint64_t key; uint32_t index; };
      DEVICE item_t make_item(uint64_t key, int index) { item_t r; r.key = key; r.index = (uint32_t)index; return r; }
      DEVICE item_t last_item() { return make_item(~0ull, -1); }
      DEVICE int item_index(item_t a) { return (int)a.index; }
      DEVICE bool is_less(item_t a, item_t b) { return a.key < b.key || (a.key == b.key && a.index < b.index); }
      """
      : """
      typedef uint64_t item_t;
      DEVICE item_t make_item(uint32_t key, int index) { return (uint64_t)key << 32 | (uint32_t)index; }
      DEVICE item_t last_item() { return ~0ull; }
      DEVICE int item_index(item_t a) { return (int)(uint32_t)a; }
      DEVICE bool is_less(item_t a, item_t b) { return a < b; }
      """
    return items + "\n" + key + "\n"
  }

  /// The number that orders an element; NaN comes after every other, zeros are equal.
  private var key: String {
    let sign = problem.descending ? "~" : ""
    switch x.dataType {
    case .float64:
      return """
        DEVICE uint64_t sort_key(double x) {
          const uint64_t bits = x != x ? 0x7fffffffffffffffull : x == 0 ? 0 : (uint64_t)__double_as_longlong(x);
          return \(sign)(bits >> 63 ? ~bits : bits | 0x8000000000000000ull);
        }
        """
    case .float32, .float16, .bfloat16:
      return """
        DEVICE uint32_t sort_key(float x) {
          const uint32_t bits = x != x ? 0x7fffffffu : x == 0 ? 0 : (uint32_t)__float_as_int(x);
          return \(sign)(bits >> 31 ? ~bits : bits | 0x80000000u);
        }
        """
    case .int64:
      return
        "DEVICE uint64_t sort_key(int64_t x) { return \(sign)((uint64_t)x ^ 0x8000000000000000ull); }"
    case .uint64: return "DEVICE uint64_t sort_key(uint64_t x) { return \(sign)x; }"
    case .uint32: return "DEVICE uint32_t sort_key(uint32_t x) { return \(sign)x; }"
    default:
      return
        "DEVICE uint32_t sort_key(int32_t x) { return \(sign)((uint32_t)x ^ 0x80000000u); }"
    }
  }

  /// A function that sorts runs of `size` items, a power of two, in shared memory.
  static func bitonic(threads: Int) -> String {
    """
    template <int count, int size> DEVICE void sort_items(item_t* items) {
      for (int run = 2; run <= size; run *= 2)
        for (int step = run / 2; step > 0; step /= 2) {
          block_barrier();
          for (int i = threadIdx.x; i < count / 2; i += \(threads)) {
            const int a = 2 * i - (i & (step - 1)), b = a + step;
            const item_t x = items[a], y = items[b];
            if (is_less(y, x) == ((a & run & (size - 1)) == 0)) { items[a] = y; items[b] = x; }
          }
        }
      block_barrier();
    }

    """
  }

  static func powerOfTwo(atLeast value: Int) -> Int {
    var result = 1
    while result < value { result *= 2 }
    return result
  }
}
