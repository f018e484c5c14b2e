import GraphModel
import KernelModel
import LayerTensorFusion
import TensorModel
import Testing

/// Convolutions and matrix products with what surrounds them.
@Suite struct ContractionFusionTests {
  @Test func batchNormalizationBecomesWeightsAndBias() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3, 7, 5])
    let convolved = try draft.convolution(x, try draft.weights([4, 3, 3, 3]), pads: 1)
    let normalized = try draft.pointwise(
      .x0 * .x1 + .x2, convolved, try draft.weights([4, 1, 1]), try draft.weights([4, 1, 1]))
    draft.output(try draft.pointwise(.relu, normalized))
    let outcome = try draft.fused()
    #expect(outcome.count("convolution * scale + shift => convolution + bias") == 1)
    #expect(outcome.families == ["convolution"])
    #expect(outcome.problems[0].epilogue == .maximum(.x0 + .x1, .float(0)))
    let node = outcome.graph.liveNodes[0].node
    #expect(node.name == "n0")
    #expect(node.origins == ["n0 (convolution)", "n1 (pointwise)", "n2 (pointwise)"])
  }

  @Test func primitiveBatchNormalizationAfterBias() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 4, 5, 5])
    var y = try draft.convolution(x, try draft.weights([6, 2, 1, 1]), groups: 2)
    y = try draft.pointwise(.x0 + .x1, y, try draft.weights([6, 1, 1]))
    y = try draft.pointwise(.x0 - .x1, y, try draft.weights([1, 6, 1, 1]))
    y = try draft.pointwise(.x0 * .x1, y, try draft.weights([6, 1, 1]))
    y = try draft.pointwise(.x0 / .float(3), y)
    y = try draft.pointwise(.x0 + .x1, y, try draft.weights([6, 1, 1]))
    draft.output(try draft.pointwise(.x0 * .unary(.sigmoid, .x0), y))
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution"])
    let sum = ScalarExpression.x0 + .x1
    #expect(outcome.problems[0].epilogue == sum * .unary(.sigmoid, sum))
  }

  @Test func transposedConvolutionScalesPerGroup() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 4, 3, 3])
    let y = try draft.add(
      .convolution(
        Convolution(
          strides: [2, 2], dilations: [1, 1], padsBefore: [0, 0], padsAfter: [1, 1], groups: 2,
          isTransposed: true)), [x, try draft.weights([4, 3, 3, 3])])
    draft.output(
      try draft.pointwise(
        .x0 * .x1 + .x2, y, try draft.weights([6, 1, 1]), try draft.weights([6, 1, 1])))
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution"])
    #expect(outcome.problems[0].epilogue == .x0 + .x1)
  }

  @Test func scaleStaysWhereTheResultIsReadTwice() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 3, 4, 4])
    let convolved = try draft.convolution(x, try draft.weights([3, 3, 1, 1]))
    let scaled = try draft.pointwise(.x0 * .x1, convolved, try draft.weights([3, 1, 1]))
    draft.output(scaled, convolved)
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution", "pointwise"])
  }

  @Test func residualAndActivationBecomeTheEpilogueOfTheLastConvolution() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 4, 6, 6])
    let branch = try draft.convolution(x, try draft.weights([4, 4, 3, 3]), pads: 1)
    let shortcut = try draft.convolution(x, try draft.weights([4, 4, 1, 1]))
    let sum = try draft.pointwise(.x0 + .x1, branch, shortcut)
    draft.output(try draft.pointwise(.relu, sum))
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution", "convolution"])
    #expect(outcome.problems[0].epilogue == .x0)
    #expect(outcome.problems[1].epilogue == .maximum(.x0 + .x1, .float(0)))
  }

  @Test func shapesThatGrowStayApart() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 3])
    let other = draft.input([5, 4])
    let product = try draft.matmul(x, try draft.weights([3, 4]))
    draft.output(try draft.pointwise(.x0 + .x1, product, other))
    let outcome = try draft.fused()
    #expect(outcome.families == ["matmul", "pointwise"])
  }

  @Test func scaleOfColumnsGoesIntoTheMatrix() throws {
    for transposesB in [false, true] {
      var draft = GraphDraft()
      let x = draft.input([2, 5, 7])
      let b = try draft.weights(transposesB ? [3, 7] : [7, 3])
      let y = try draft.add(.matmul(MatrixProduct(transposesB: transposesB)), [x, b])
      let scaled = try draft.pointwise(
        (.x0 + .x1) * .x2, y, try draft.weights([3]), try draft.weights([3]))
      draft.output(try draft.pointwise(.unary(.hyperbolicTangent, .x0), scaled))
      let outcome = try draft.fused()
      #expect(outcome.count("matmul * scale + shift => matmul + bias") == 1)
      #expect(outcome.problems[0].epilogue == .unary(.hyperbolicTangent, .x0 + .x1))
    }
  }

  @Test func affineBeforeAConvolution() throws {
    for pads in [0, 1] {
      var draft = GraphDraft()
      let x = draft.input([1, 4, 5, 5])
      let scaled = try draft.pointwise(
        (.x0 - .x1) / .x2, x, try draft.weights([4, 1, 1]), try draft.weights([4, 1, 1]))
      draft.output(
        try draft.convolution(scaled, try draft.weights([6, 2, 3, 3]), pads: pads, groups: 2))
      let outcome = try draft.fused(tolerance: 3e-5)
      #expect(outcome.count("convolution of (x * scale + shift) => convolution") == 1 - pads)
    }
  }

  @Test func factorBeforeAPaddedConvolutionAndAMatmul() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 3, 5, 5])
    let scaled = try draft.pointwise(.x0 / .float(255), x)
    let y = try draft.convolution(scaled, try draft.weights([2, 3, 3, 3]), pads: 1)
    let z = draft.input([4, 6])
    let shifted = try draft.pointwise(.x0 * .x1 + .float(0.5), z, try draft.weights([6]))
    draft.output(y, try draft.matmul(shifted, try draft.weights([6, 2])))
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution", "matmul"])
    #expect(outcome.count("matmul of (x * scale + shift) => matmul") == 1)
  }

  @Test func factorThatTheResidualReadsStays() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 3, 5, 5])
    let scaled = try draft.pointwise(.x0 * .x1, x, try draft.weights([3, 1, 1]))
    let y = try draft.convolution(scaled, try draft.weights([3, 3, 1, 1]))
    draft.output(try draft.pointwise(.x0 + .x1, y, scaled))
    #expect(try draft.fused().families == ["pointwise", "convolution"])
  }

  @Test func paddingBecomesPads() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 2, 5, 6])
    let pad = KernelProblem.copy(
      .pad(.constant(0), before: [0, 0, 1, 0], after: [0, 0, 2, 1]))
    let padded = try draft.add(pad, [x])
    let y = try draft.convolution(padded, try draft.weights([3, 2, 3, 3]), strides: 2)
    let again = try draft.add(pad, [y])
    let pooled = try draft.add(
      .window(
        Window(
          .average(countsPadding: false), kernel: [2, 2], strides: [1, 1], dilations: [1, 1],
          padsBefore: [0, 0], padsAfter: [0, 0])), [again])
    draft.output(pooled)
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution", "window"])
    #expect(outcome.count("pad + convolution => convolution") == 1)
    #expect(outcome.count("pad + average pooling => average pooling") == 1)
  }

  @Test func paddingOfChannelsOrWithOnesStays() throws {
    for problem in [
      Copy.pad(.constant(0), before: [0, 1, 1, 1], after: [0, 0, 0, 0]),
      Copy.pad(.constant(1), before: [0, 0, 1, 1], after: [0, 0, 0, 0]),
      Copy.pad(.edge, before: [0, 0, 1, 1], after: [0, 0, 0, 0]),
    ] {
      var draft = GraphDraft()
      let padded = try draft.add(.copy(problem), [draft.input([1, 2, 4, 4])])
      let channels = try #require(draft.graph[padded].type?.shape[1].constant)
      draft.output(try draft.convolution(padded, try draft.weights([3, channels, 3, 3])))
      #expect(try draft.fused().families == ["copy", "convolution"])
    }
  }

  @Test func lowestPaddingAndMaximum() throws {
    var draft = GraphDraft()
    let padded = try draft.add(
      .copy(.pad(.constant(-.infinity), before: [0, 0, 1, 1], after: [0, 0, 1, 1])),
      [draft.input([1, 2, 4, 4])])
    draft.output(
      try draft.add(
        .window(
          Window(
            .maximum, kernel: [3, 3], strides: [2, 2], dilations: [1, 1], padsBefore: [0, 0],
            padsAfter: [0, 0])), [padded]))
    #expect(try draft.fused().families == ["window"])
  }

  @Test func convolutionsOfOneTensorBecomeOne() throws {
    var draft = GraphDraft()
    let x = draft.input(["batch", 4, 5, 5])
    var parts: [ValueID] = []
    for channels in [3, 1, 5] {
      var y = try draft.convolution(x, try draft.weights([channels, 4, 1, 1]))
      if channels != 1 {
        y = try draft.pointwise(.x0 + .x1, y, try draft.weights([channels, 1, 1]))
      }
      parts.append(try draft.pointwise(.relu, y))
    }
    let other = try draft.convolution(x, try draft.weights([2, 4, 3, 3]), pads: 1)
    draft.output(
      try draft.add(.copy(.concatenate(axis: 1)), [parts[0], other, parts[2]]), parts[1])
    let outcome = try draft.fused(symbols: ["batch": 2])
    #expect(outcome.count("convolutions of one tensor => convolution + slices") == 1)
    #expect(outcome.families.filter { $0 == "convolution" }.count == 2)
  }

  @Test func differentActivationsStayApart() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 4, 5, 5])
    let a = try draft.convolution(x, try draft.weights([3, 4, 1, 1]))
    let b = try draft.convolution(x, try draft.weights([3, 4, 1, 1]))
    draft.output(
      try draft.pointwise(.relu, a), try draft.pointwise(.unary(.sigmoid, .x0), b))
    let outcome = try draft.fused()
    #expect(outcome.families == ["convolution", "convolution"])
  }

  @Test func projectionsOfOneTensorBecomeOne() throws {
    for transposesB in [false, true] {
      var draft = GraphDraft()
      let x = draft.input(["batch", "tokens", 6])
      for width in [4, 4, 2] {
        let y = try draft.add(
          .matmul(MatrixProduct(transposesB: transposesB)),
          [x, try draft.weights(transposesB ? [width, 6] : [6, width])])
        draft.output(try draft.pointwise(.x0 + .x1, y, try draft.weights([width])))
      }
      let outcome = try draft.fused(symbols: ["batch": 2, "tokens": 3])
      #expect(outcome.count("matmuls of one tensor => matmul + slices") == 1)
      #expect(outcome.families == ["matmul", "copy", "copy", "copy"])
    }
  }

  @Test func transposedOperandsAreRead() throws {
    var draft = GraphDraft()
    let a = try draft.transpose(draft.input([2, 5, 3]), [0, 2, 1])
    let b = try draft.transpose(draft.input([4, 5]), [1, 0])
    draft.output(try draft.matmul(a, b))
    let outcome = try draft.fused()
    #expect(outcome.families == ["matmul"])
    #expect(outcome.problems[0] == .matmul(MatrixProduct(transposesA: true, transposesB: true)))
  }

  @Test func biasBehindAReshape() throws {
    var draft = GraphDraft()
    let x = draft.input(["batch", 6, 4])
    let flat = try draft.reshape(x, [.symbol("batch") * 6, 4])
    let product = try draft.matmul(flat, try draft.weights([4, 8]))
    let shaped = try draft.reshape(product, ["batch", 6, 8])
    let biased = try draft.pointwise(.x0 + .x1, shaped, try draft.weights([8]))
    let residual = draft.input(["batch", 6, 8])
    let sum = try draft.pointwise(.x0 + .x1, biased, residual)
    draft.output(try draft.pointwise(.relu, sum))
    let outcome = try draft.fused(symbols: ["batch": 3])
    #expect(outcome.families.filter { $0 != "copy" } == ["matmul"])
  }
}
