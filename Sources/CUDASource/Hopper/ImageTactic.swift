import KernelModel
import TensorModel

/// The convolution of images of few channels by matrix instructions, straight from the image.
struct ImageTactic: CUDATactic {
  private let image: ImageGeometry
  private let contraction: Contraction

  var name: String { "wgmma image 64x\(image.pixels)" }

  init?(_ request: CUDARequest) {
    guard request.gpu.architecture == 90, let contraction = Contraction(request),
      [.float16, .bfloat16].contains(contraction.type)
        || contraction.type == .float32 && contraction.arithmetic == .tensorFloat32,
      !contraction.isEmpty, contraction.padValue == 0,
      contraction.epilogue.output.columnStride == 1, contraction.epilogue.vector >= 4,
      let image = ImageGeometry(request)
    else { return nil }
    self.image = image
    self.contraction = contraction
    guard kernel(request.gpu).sharedBytes <= request.gpu.sharedBytesPerBlock else { return nil }
  }

  private func kernel(_ gpu: GPUProperties) -> ImageKernel {
    let probe = ImageKernel(
      image: image, contraction: contraction, strip: 1, blocksPerMultiprocessor: 1)
    let fit = min(3, max(1, gpu.sharedBytesPerMultiprocessor / (probe.sharedBytes + 1024)))
    // A strip costs its rows and the rows of the image before its first result.
    let resident = fit * gpu.multiprocessors
    func cost(_ strip: Int) -> Int {
      let blocks = ceilingQuotient(image.rows.windows, strip) * blocksOfRow
      return ceilingQuotient(blocks, resident) * (strip + 3)
    }
    let strip = (1...image.rows.windows).min { (cost($0), $1) < (cost($1), $0) } ?? 1
    return ImageKernel(
      image: image, contraction: contraction, strip: strip, blocksPerMultiprocessor: fit)
  }

  private var blocksOfRow: Int { image.images * image.parts * image.filterBlocks }

  func estimate(_ request: CUDARequest) -> Double {
    let kernel = kernel(request.gpu)
    let strips = ceilingQuotient(image.rows.windows, kernel.strip)
    let resident = kernel.blocksPerMultiprocessor * request.gpu.multiprocessors
    let waves = ceilingQuotient(strips * blocksOfRow, resident)
    let products = Double(image.rows.taps * image.steps * image.pixels) / 2 + 1200
    let row = max(products * Double(kernel.blocksPerMultiprocessor) / 2.5, products)
    return HopperCost.seconds(Double(waves * (kernel.strip + 3)) * row, request)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let kernel = kernel(request.gpu)
    var plan = StepPlan(launches: [])
    let filters = image.scheduleFilters(in: &plan)
    let blocks = ceilingQuotient(image.rows.windows, kernel.strip) * blocksOfRow
    plan.launches.append(
      KernelLaunch(
        try kernel.source, grid: GridSize(blocks), threads: ImageKernel.threads,
        sharedBytes: kernel.sharedBytes,
        arguments: [.input(0), .prepared(filters)] + contraction.epilogue.arguments))
    return plan
  }
}
