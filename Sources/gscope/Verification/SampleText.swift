/// English prose in the public domain, for `gscope verify` without a text of the user's: Jane Austen (1813), Charles
/// Darwin (1859), Abraham Lincoln (1863), Herman Melville (1851).
enum SampleText {
  static let paragraphs = """
    It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a \
    wife. However little known the feelings or views of such a man may be on his first entering a neighbourhood, \
    this truth is so well fixed in the minds of the surrounding families, that he is considered as the rightful \
    property of some one or other of their daughters.

    When on board H.M.S. Beagle, as naturalist, I was much struck with certain facts in the distribution of the \
    inhabitants of South America, and in the geological relations of the present to the past inhabitants of that \
    continent. These facts seemed to me to throw some light on the origin of species, that mystery of mysteries, as \
    it has been called by one of our greatest philosophers. On my return home, it occurred to me, in 1837, that \
    something might perhaps be made out on this question by patiently accumulating and reflecting on all sorts of \
    facts which could possibly have any bearing on it.

    Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, \
    and dedicated to the proposition that all men are created equal. Now we are engaged in a great civil war, \
    testing whether that nation, or any nation so conceived and so dedicated, can long endure. We are met on a great \
    battle-field of that war. We have come to dedicate a portion of that field, as a final resting place for those \
    who here gave their lives that that nation might live. It is altogether fitting and proper that we should do \
    this.

    Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and \
    nothing particular to interest me on shore, I thought I would sail about a little and see the watery part of the \
    world. It is a way I have of driving off the spleen and regulating the circulation. Whenever I find myself \
    growing grim about the mouth; whenever it is a damp, drizzly November in my soul; whenever I find myself \
    involuntarily pausing before coffin warehouses, and bringing up the rear of every funeral I meet, then, I \
    account it high time to get to sea as soon as I can.
    """
}
