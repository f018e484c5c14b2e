import KernelModel
import TensorModel

/// The convolution of images by matrix instructions that read the window's taps from one copy of the image.
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
    // Warpgroups share many filters, all the same ones; few filters are copied for each.
    let wanted = (image.isWide ? [3, 2, 1] : [1])
      .filter { image.filterBlocks == 1 || jobsOfRow % $0 == 0 }
    func kernel(_ groups: Int, strip: Int, fit: Int = 1) -> ImageKernel {
      ImageKernel(
        image: image, contraction: contraction, strip: strip, groups: groups,
        blocksPerMultiprocessor: fit)
    }
    let groups = wanted.first { kernel($0, strip: 1).sharedBytes <= gpu.sharedBytesPerBlock } ?? 1
    let bytes = kernel(groups, strip: 1).sharedBytes + 1024
    let fit = min(3 / groups, max(1, gpu.sharedBytesPerMultiprocessor / bytes))
    // A strip costs its rows and the rows of the image before its first result.
    let resident = fit * gpu.multiprocessors
    func cost(_ strip: Int) -> Int {
      ceilingQuotient(kernel(groups, strip: strip).blocks, resident) * (strip + 3)
    }
    let strip = (1...image.rows.windows).min { (cost($0), $1) < (cost($1), $0) } ?? 1
    return kernel(groups, strip: strip, fit: fit)
  }

  /// Sections of rows of all images, each with all filters of a block.
  private var jobsOfRow: Int { image.images * image.sections }

  func estimate(_ request: CUDARequest) -> Double {
    let kernel = kernel(request.gpu)
    let resident = kernel.blocksPerMultiprocessor * request.gpu.multiprocessors
    let waves = ceilingQuotient(kernel.blocks, resident)
    let products =
      Double(image.rows.taps * image.steps * image.pixels) / 2 * (image.isDivided ? 3 : 1)
    let together = Double(kernel.blocksPerMultiprocessor * kernel.groups)
    let row = max(products * together, products + 1500)
    return HopperCost.seconds(Double(waves * (kernel.strip + 3)) * row, request)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let kernel = kernel(request.gpu)
    var plan = StepPlan(launches: [])
    let filters = image.scheduleFilters(in: &plan)
    plan.launches.append(
      KernelLaunch(
        try kernel.source, grid: GridSize(kernel.blocks),
        threads: kernel.groups * ImageKernel.threads,
        sharedBytes: kernel.sharedBytes,
        arguments: [.input(0), .prepared(filters)] + contraction.epilogue.arguments))
    return plan
  }
}
