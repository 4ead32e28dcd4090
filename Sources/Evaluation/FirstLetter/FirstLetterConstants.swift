/// The constants of the first-letter task as published: Karvonen et al. 2025, "SAEBench" (arXiv 2503.09532), in the
/// code of version 0.6.0 (`sae_bench/evals/absorption`), which goes back to Chanin et al. 2024, "A is for Absorption"
/// (arXiv 2409.14507).
public enum FirstLetterConstants {
  /// Probes, a to z.
  public static let letters = Array("abcdefghijklmnopqrstuvwxyz")
  /// What follows a word in a prompt (`eval_config.py`, `prompt_template`).
  public static let suffix = " has the first letter:"
  /// What stands between examples and before the first (`prompting.py`).
  public static let separator = "\n"
  /// Examples before the word (`probing.py`, `max_icl_examples`).
  public static let examples = 10
  /// The share of words that probes are trained on (`probing.py`, `train_test_fraction`).
  public static let trainingShare = 0.8
  /// A letter counts when the F1 of its dense probe is above this (`min_GT_probe_f1`).
  public static let leastF1 = 0.6
  /// How many letters must count (`min_feats_for_eval`).
  public static let leastLetters = 20

  /// The dense probe (`common.py` and `probing.py`).
  public static let denseProbe = MultiProbe.Options(
    batch: 64, epochs: 50, rate: 1e-2, endRate: 1e-5, weightDecay: 1e-4)
  /// The probe whose largest weights choose a letter's features (`k_sparse_probing.py`), with a batch to be set.
  public static let sparseProbe = MultiProbe.Options(
    batch: 4096, epochs: 50, rate: 1e-2, endRate: 1e-5, weightDecay: 1e-6, l1: 0.01)
  /// Steps an epoch of `sparseProbe` over the published number of words (111,000 in batches of 4,096). With fewer words
  /// batches are smaller instead, since Adam moves a weight by no more than the rate in a step.
  public static let sparseProbeSteps = 28
  /// Most features that a letter can be split into (`max_k_value`).
  public static let mostSplitFeatures = 10
  /// What a feature more must raise F1 by to be a split (`f1_jump_threshold`).
  public static let leastF1Jump = 0.03

  /// Activations below are silence (`EPS` of `feature_absorption_calculator.py`).
  public static let silence = 1e-8
  /// The least cosine to the probe of the feature that absorbs a word fully
  /// (`full_absorption_probe_cos_sim_threshold`).
  public static let leastFullCosine = 0.025
  /// The least cosine to the probe of features that absorb in part (`absorption_fraction_probe_cos_sim_threshold`).
  public static let leastFractionCosine = 0.1
  /// The least share of the word's projection on the probe that absorbing features make
  /// (`probe_projection_proportion_threshold`).
  public static let leastShare = 0.4
  /// Most features that absorb a word together (`absorption_fraction_max_absorbing_latents`).
  public static let mostAbsorbers = 3

  /// Sizes of the sparse probes that are reported beside the dense one (arXiv 2503.09532, section on sparse probing).
  public static let sparseProbeSizes = [1, 2, 5]
}
