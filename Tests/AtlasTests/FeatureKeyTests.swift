import Atlas
import Testing

@Suite struct FeatureKeyTests {
  @Test func keysAreReadAsTheyPrint() throws {
    for text in ["a#0", "resid_post/layer_9_width_2k_l0_60#17", "c#3/9", "odd#name#5"] {
      #expect(try #require(FeatureKey(text)).description == text)
    }
    #expect(try #require(FeatureKey("c#3/9")) == FeatureKey(dictionary: "c", layer: 3, index: 9))
  }

  @Test(arguments: ["", "#1", "a", "a#", "a#x", "a#-1", "a#1/2/3", "a#1/"]) func othersAreRefused(text: String) {
    #expect(FeatureKey(text) == nil)
  }
}
