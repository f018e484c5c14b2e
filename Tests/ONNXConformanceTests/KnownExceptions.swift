/// The node tests that do not pass as they stand, each with its reason.
///
/// A test that is not listed must pass; one that is listed as refused or different must not.
enum KnownExceptions {
  enum Expectation: Equatable {
    case passes
    /// The importer refuses the model.
    case isRefused
    /// The outputs cannot be those stored.
    case differs
  }

  struct Exception {
    var expectation: Expectation
    /// Nil: as the list of tests says.
    var comparison: TensorComparison?
  }

  static func exception(for name: String, _ binding: NodeTest.Binding) -> Exception? {
    if refused.contains(where: { $0.names.contains(name) }) {
      return Exception(expectation: .isRefused)
    }
    if random.contains(name) { return Exception(expectation: .differs) }
    if dataDependentRank.contains(name) { return Exception(expectation: .differs) }
    if binding == .symbolicBatch, fixedBatch.contains(name) {
      return Exception(expectation: .differs)
    }
    if let coarse = coarse.first(where: { $0.names.contains(name) }) {
      return Exception(expectation: .passes, comparison: coarse.comparison)
    }
    return nil
  }

  /// Listed names that no test has.
  static func unknownNames(among names: [String]) -> [String] {
    let listed =
      refused.flatMap(\.names) + random + dataDependentRank + fixedBatch + coarse.flatMap(\.names)
    return listed.filter { !Set(names).contains($0) }
  }

  // MARK: Lists

  struct Refused {
    var reason: String
    var names: Set<String>
  }

  struct Coarse {
    var reason: String
    var comparison: TensorComparison
    var names: Set<String>
  }

  static let refused: [Refused] = [
    Refused(
      reason: "image files",
      names: [
        "test_image_decoder_decode_bmp_rgb", "test_image_decoder_decode_jpeg2k_rgb",
        "test_image_decoder_decode_jpeg_bgr", "test_image_decoder_decode_jpeg_grayscale",
        "test_image_decoder_decode_jpeg_rgb", "test_image_decoder_decode_png_rgb",
        "test_image_decoder_decode_pnm_rgb", "test_image_decoder_decode_tiff_rgb",
        "test_image_decoder_decode_webp_rgb",
      ]),
    Refused(
      reason: "values that are sequences or optional, not tensors",
      names: [
        "test_identity_opt", "test_identity_sequence", "test_if_opt", "test_if_seq",
        "test_loop13_seq", "test_loop16_seq_none", "test_optional_get_element_optional_sequence",
        "test_optional_get_element_optional_tensor", "test_optional_get_element_sequence",
        "test_optional_get_element_tensor",
        "test_optional_has_element_empty_no_input_name_optional_input",
        "test_optional_has_element_empty_no_input_name_tensor_input",
        "test_optional_has_element_empty_no_input_optional_input",
        "test_optional_has_element_empty_no_input_tensor_input",
        "test_optional_has_element_empty_optional_input",
        "test_optional_has_element_optional_input", "test_optional_has_element_tensor_input",
        "test_sequence_insert_at_back", "test_sequence_insert_at_front",
        "test_sequence_map_add_1_sequence_1_tensor",
        "test_sequence_map_add_1_sequence_1_tensor_expanded", "test_sequence_map_add_2_sequences",
        "test_sequence_map_add_2_sequences_expanded", "test_sequence_map_extract_shapes",
        "test_sequence_map_extract_shapes_expanded", "test_sequence_map_identity_1_sequence",
        "test_sequence_map_identity_1_sequence_1_tensor",
        "test_sequence_map_identity_1_sequence_1_tensor_expanded",
        "test_sequence_map_identity_1_sequence_expanded", "test_sequence_map_identity_2_sequences",
        "test_sequence_map_identity_2_sequences_expanded", "test_split_to_sequence_1",
        "test_split_to_sequence_2", "test_split_to_sequence_nokeepdims",
      ]),
    Refused(
      reason: "text features (TfIdfVectorizer)",
      names: [
        "test_tfidfvectorizer_tf_batch_onlybigrams_skip0",
        "test_tfidfvectorizer_tf_batch_onlybigrams_skip5",
        "test_tfidfvectorizer_tf_batch_uniandbigrams_skip5",
        "test_tfidfvectorizer_tf_only_bigrams_skip0",
        "test_tfidfvectorizer_tf_onlybigrams_levelempty",
        "test_tfidfvectorizer_tf_onlybigrams_skip5", "test_tfidfvectorizer_tf_uniandbigrams_skip5",
      ]),
    Refused(
      reason: "operators of classical machine learning (ai.onnx.ml)",
      names: [
        "test_ai_onnx_ml_array_feature_extractor", "test_ai_onnx_ml_binarizer",
        "test_ai_onnx_ml_label_encoder_string_int",
        "test_ai_onnx_ml_label_encoder_string_int_no_default",
        "test_ai_onnx_ml_label_encoder_tensor_mapping",
        "test_ai_onnx_ml_label_encoder_tensor_value_only_mapping",
        "test_ai_onnx_ml_tree_ensemble_set_membership",
        "test_ai_onnx_ml_tree_ensemble_single_tree",
      ]),
    Refused(
      reason: "training operators",
      names: [
        "test_adagrad", "test_adagrad_multiple", "test_adam", "test_adam_multiple",
        "test_momentum", "test_momentum_multiple", "test_nesterov_momentum",
      ]),
  ]

  /// Numbers that NumPy's generator drew; ours is another.
  static let random: Set<String> = [
    "test_bernoulli", "test_bernoulli_double", "test_bernoulli_double_expanded",
    "test_bernoulli_expanded", "test_bernoulli_seed", "test_bernoulli_seed_expanded",
    "test_training_dropout", "test_training_dropout_default", "test_training_dropout_default_mask",
    "test_training_dropout_mask",
  ]

  /// A rank that data decide: `Squeeze` without axes, of extents that are data.
  static let dataDependentRank: Set<String> = [
    "test_affine_grid_2d_align_corners_expanded", "test_affine_grid_2d_expanded",
  ]

  /// First extents that operators want as integers: the batch of `Scan` before opset 9, and the channels
  /// of depthwise weights.
  static let fixedBatch: Set<String> = [
    "test_causal_conv_with_state_b1_c1_degenerate", "test_causal_conv_with_state_basic",
    "test_causal_conv_with_state_decode_step", "test_causal_conv_with_state_fp16",
    "test_causal_conv_with_state_kernel_size_one",
    "test_causal_conv_with_state_short_input_no_past_state", "test_causal_conv_with_state_silu",
    "test_causal_conv_with_state_silu_fp16", "test_causal_conv_with_state_silu_with_past_state",
    "test_causal_conv_with_state_swish_alias", "test_causal_conv_with_state_with_bias",
    "test_causal_conv_with_state_with_bias_and_past_state",
    "test_causal_conv_with_state_with_past_state", "test_scan_sum",
  ]

  static let coarse: [Coarse] = [
    Coarse(
      reason: "the expected values were rounded to 16 bits after each step, ours once",
      comparison: TensorComparison(rtol: 1e-3, atol: 1e-7, steps: 2),
      names: [
        "test_attention_3d_causal_bf16", "test_attention_3d_causal_bf16_expanded",
        "test_attention_4d_attn_mask_causal_bf16",
        "test_attention_4d_attn_mask_causal_bf16_expanded", "test_attention_4d_causal_bf16",
        "test_attention_4d_causal_bf16_expanded", "test_attention_4d_causal_fp16_expanded",
        "test_attention_4d_causal_padded_kv_bf16",
        "test_attention_4d_causal_padded_kv_bf16_expanded", "test_attention_4d_padded_kv_bf16",
        "test_attention_4d_padded_kv_bf16_expanded",
      ]),
    Coarse(
      reason: "the expected values have errors of 2e-7 where the results are zero",
      comparison: TensorComparison(rtol: 1e-3, atol: 1e-6),
      names: [
        "test_dft_inverse", "test_dft_inverse_opset19",
      ]),
  ]
}
