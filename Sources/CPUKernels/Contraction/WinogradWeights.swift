import CPUKernelInterface

/// Transforms 3x3 weights to points, one panel for each task, in double precision.
func runTransformWeights(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: WinogradWeightParameters.self)
  let channels = p.pointee.channels
  let columns = p.pointee.tileColumns
  let plane = channels &* columns
  for panel in firstTask..<endTask {
    let source = operands[0].assumingMemoryBound(to: Float.self) + panel &* 9 &* plane
    let (group, index) = panel.quotientAndRemainder(dividingBy: p.pointee.panelsPerGroup)
    let firstPanel = group &* p.pointee.panelsPerGroup
    let panels = min(p.pointee.panelsPerGroup, p.pointee.panels &- firstPanel)
    let target =
      operands[1].assumingMemoryBound(to: Float.self)
      + (firstPanel &* p.pointee.points &* p.pointee.points &+ index) &* plane
    let pointStride = panels &* plane
    var position = 0
    // Panels are whole vectors of four.
    while position < plane {
      transformWeights(p, UnsafePointer(source) + position, target + position, plane, pointStride)
      position &+= 4
    }
  }
}

private typealias Wide = SIMD4<Double>

/// `target[i][j] = sum over y, x of matrix[i][y] * matrix[j][x] * source[y][x]` for four columns.
@inline(__always)
private func transformWeights(
  _ p: UnsafePointer<WinogradWeightParameters>, _ source: UnsafePointer<Float>,
  _ target: UnsafeMutablePointer<Float>, _ plane: Int, _ pointStride: Int
) {
  var taps = InlineArray<9, Wide>(repeating: .zero)
  for tap in 0..<9 {
    for lane in 0..<4 { taps[tap][lane] = Double(source[tap &* plane &+ lane]) }
  }
  let points = p.pointee.points
  for i in 0..<points {
    let (a, b, c) = row(p, i)
    var line = InlineArray<3, Wide>(repeating: .zero)
    for x in 0..<3 { line[x] = a * taps[x] + b * taps[3 &+ x] + c * taps[6 &+ x] }
    for j in 0..<points {
      let (d, e, f) = row(p, j)
      let value = d * line[0] + e * line[1] + f * line[2]
      let place = target + (i &* points &+ j) &* pointStride
      for lane in 0..<4 { place[lane] = Float(value[lane]) }
    }
  }
}

@inline(__always)
private func row(_ p: UnsafePointer<WinogradWeightParameters>, _ point: Int) -> (Wide, Wide, Wide) {
  (
    Wide(repeating: p.pointee.matrix[3 &* point]),
    Wide(repeating: p.pointee.matrix[3 &* point &+ 1]),
    Wide(repeating: p.pointee.matrix[3 &* point &+ 2])
  )
}
