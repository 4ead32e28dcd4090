"""The phrases that make_probe_sets.py puts together. Nobody named here exists; the texts are this project's own.

The first two thirds of every list serve training texts, the rest test texts (places serve both): a probe that only
knows the phrases it was trained on is at a loss in the test."""

FACTS = {
    "attorney": [
        "argues appeals before the county court", "drafts wills and contracts for small family firms",
        "cross-examines witnesses with great patience", "files motions against careless landlords",
        "defends tenants who face eviction", "advises clients before they sign a settlement",
        "reads depositions late into the night", "negotiates plea bargains with the prosecution",
        "won a class action against a chemical plant", "was called to the bar at twenty-six",
        "keeps a small practice beside the courthouse", "represents injured workers in compensation claims",
        "prepares briefs for the supreme court", "objects to hearsay before the judge can frown",
        "settles inheritance disputes between siblings", "takes on pro bono cases for asylum seekers",
        "explains statutes to juries in plain words", "litigates patent infringements for inventors",
    ],
    "journalist": [
        "covers local elections for a daily paper", "interviews ministers for the evening broadcast",
        "files dispatches from flooded villages", "uncovered a bribery scandal at the port",
        "writes a weekly column on housing", "checks every source twice before the deadline",
        "reports on strikes at the shipyard", "hosts a radio programme on current affairs",
        "won a press award for a series on prisons", "edits the front page on Sundays",
        "keeps a notebook full of anonymous tips", "follows the parliament's budget debates for a news agency",
        "publishes investigations into offshore accounts", "phones the newsroom from every summit",
        "turns leaked memos into headlines", "was sent abroad as a war correspondent",
        "live-blogs trials and press conferences", "pitches stories to magazine editors",
    ],
    "nurse": [
        "checks the drips on the night ward", "changes dressings and takes temperatures",
        "comforts frightened patients before their procedures", "hands out medication on the morning round",
        "measures blood pressure at the clinic", "runs the vaccination room of a health centre",
        "trains newcomers in hand hygiene and wound care", "looks after premature babies in their incubators",
        "records vital signs on every chart", "lifts and washes patients after a stroke",
        "works twelve-hour shifts in intensive care", "visits elderly patients at home to give injections",
        "monitors the pulse of people in recovery", "reassures families at the bedside",
        "prepares syringes for the afternoon clinic", "triages arrivals in the emergency department",
        "assists midwives on the maternity ward", "watches over dialysis machines in the renal unit",
    ],
    "professor": [
        "lectures on medieval trade to first-year students", "supervises a dozen doctoral theses",
        "publishes papers on number theory", "chairs the department of linguistics",
        "teaches a graduate seminar on ethics", "was granted tenure after a long review",
        "reviews manuscripts for two scholarly journals", "holds office hours on Thursdays",
        "directs a research group on coral reefs", "wrote a textbook on statistics used at many universities",
        "spent a sabbatical in the archives", "examines candidates for the faculty",
        "marks essays on comparative literature", "leads a laboratory course in organic chemistry",
        "gives keynote talks at academic conferences", "applies for grants to study old manuscripts",
        "occupies an endowed chair of philosophy", "mentors postdocs in plasma physics",
    ],
    "surgeon": [
        "performs heart bypasses at a teaching hospital", "operates on torn ligaments and broken hips",
        "transplants kidneys through tiny incisions", "removes tumours with a steady hand",
        "scrubs in before dawn for the first case", "rebuilt a cyclist's knee in six hours",
        "developed a new stitch for damaged arteries", "plans each operation on detailed scans",
        "leads the trauma theatre when accidents happen", "corrects cleft palates on charity missions",
        "asks for the scalpel without looking up", "repairs hernias by keyhole technique",
        "opens the chest to replace worn valves", "reattached a carpenter's fingers under the microscope",
        "removes inflamed appendixes most weekends", "drills into skulls to relieve pressure",
        "sews up ruptured spleens after crashes", "performs cataract operations by the dozen",
    ],
}

MALE = (
    "James Robert Thomas Daniel Matthew Anthony Mark Steven Andrew Joshua Kevin Brian George Edward Ronald Timothy "
    "Jason Jeffrey Jacob Nicholas Eric Stephen Larry Justin Scott Frank Raymond Gregory Samuel Patrick Jack Dennis "
    "Jerry Tyler Aaron Henry Douglas Peter Adam Nathan Zachary Walter Harold Carl Arthur Gerald Roger Keith Lawrence "
    "Terence Sean Albert Joseph Ethan Wayne Ralph Louis Philip Vincent Martin"
).split()
FEMALE = (
    "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Nancy Lisa Margaret Sandra Ashley Emily "
    "Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Laura Sharon Cynthia Amy Angela Helen Anna Brenda "
    "Pamela Emma Nicole Samantha Katherine Christine Rachel Carolyn Janet Maria Heather Diane Julie Joyce Victoria "
    "Kelly Christina Joan Evelyn Judith Megan Andrea Hannah Jacqueline Martha Gloria Teresa Sophia"
).split()
PLACES = (
    "Boston|Leeds|Toronto|Cardiff|Denver|Glasgow|Perth|Austin|Dublin|Seattle|Bristol|Halifax|Chicago|Norwich|Portland|"
    "Brisbane|Oxford|Detroit|Belfast|Calgary|Memphis|York|Auckland|Tucson|Durham|Ottawa|Adelaide|Exeter|Houston|Bath|"
    "Vancouver|Lincoln|Phoenix|Hull|Madison|Cork|Richmond|Derby|Atlanta|Dundee"
).split("|")
# {A} and {B} are facts; the pronouns follow the gender.
FRAMES = [
    "{name} lives in {place}. {He} {A} and {B}.",
    "Born in {place}, {name} {A}. For {years} years now {he} also {B}.",
    "{name} is well known in {place}: {he} {A}. {His} friends say that {he} {B}.",
    "{He} {A}. {name} grew up near {place} and has two children.",
    "After school {name} moved to {place}. Today {he} {A}. {He} {B}.",
    "{name}, who turned {age} last spring, {A}. {His} brother still lives in {place}.",
    "People in {place} often speak of {name}. {He} {A}, and when time allows {he} {B}. In the evening {he} walks {his} "
    "dog.",
    "In {place}, {name} {A}. It has been {his} life for {years} years, and nothing else would please {him} as much.",
    "{name} {A}. {He} {B}. {He} was born in {place} and likes to cook for {his} neighbours.",
    "Ask anyone in {place} about {name}. They will tell you that {he} {A} and that {he} {B}.",
    # From here on for tests.
    "A short profile of {name}: {he} {A}. {He} came to {place} {years} years ago.",
    "{place} has been home to {name} since {his} studies. There {he} {A}; besides, {he} {B}.",
    "Every week {name} {A}. {His} colleagues in {place} add that {he} {B}, and that {he} never complains.",
    "At {age}, {name} still {A}. {He} has kept {his} flat in {place} all the while.",
    "{name} of {place} {A}. Those who know {him} well are not surprised that {he} {B}.",
]

# Category: things, and what is said of good and bad ones.
REVIEWS = {
    "book": (
        ["novel", "biography", "thriller", "cookbook", "short story collection", "history of the war",
         "fantasy trilogy", "travel memoir", "poetry anthology"],
        ["the characters feel alive", "I read the last chapter twice", "the plot kept me awake until two",
         "every page is beautifully written", "the dialogue sparkles", "its ending moved me to tears"],
        ["the characters are made of cardboard", "I gave up after the third chapter", "the plot makes no sense at all",
         "every page is full of clichés", "the dialogue is painful", "its ending comes out of nowhere"],
    ),
    "clothing": (
        ["jacket", "pair of jeans", "wool sweater", "raincoat", "summer dress", "pair of boots", "scarf", "linen shirt",
         "pair of gloves"],
        ["it fits perfectly", "the fabric is soft and warm", "the seams are neat and strong",
         "the colour held after ten washes", "the zip runs smoothly", "it keeps the rain out all day"],
        ["it is two sizes too small", "the fabric scratches", "the seams came apart in a week",
         "the colour ran in the first wash", "the zip jammed at once", "it lets the rain in everywhere"],
    ),
    "electronics": (
        ["pair of headphones", "laptop", "phone charger", "bluetooth speaker", "camera", "keyboard", "monitor",
         "tablet", "wireless router"],
        ["the battery lasts for days", "the sound is rich and clear", "setup took two minutes",
         "the screen is bright and sharp", "it never loses the signal", "the buttons respond instantly"],
        ["the battery dies within an hour", "the sound crackles all the time", "setup took a whole afternoon",
         "the screen flickers", "it loses the signal every few minutes", "the buttons stick"],
    ),
    "kitchen": (
        ["kettle", "frying pan", "blender", "bread knife", "coffee maker", "toaster", "rice cooker", "set of bowls",
         "baking tin"],
        ["nothing ever sticks to it", "it heats evenly", "it cleans in seconds", "the handle stays cool",
         "the blade is still sharp", "the lid closes tightly"],
        ["everything sticks to it", "it burns one side and leaves the other raw", "it is impossible to clean",
         "the handle gets scorching hot", "the blade was blunt within days", "the lid does not close"],
    ),
}
OPINIONS = {
    "good": ["I could not be happier with it", "It is worth every penny", "I recommend it to everyone",
             "What a pleasant surprise", "Easily the best I have owned", "I would buy it again tomorrow",
             "Full marks from me", "My whole family loves it", "It made my year"],
    "bad": ["I want my money back", "It is a complete waste of money", "I warn everyone against it",
            "What a bitter disappointment", "Easily the worst I have owned", "I sent it back the next day",
            "No marks from me", "My whole family hates it", "It ruined my week"],
}
REVIEW_FRAMES = [
    "I bought this {thing} in {month}. {Opinion}: {aspect}.",
    "{Opinion}. This {thing} arrived on a {day}, and {aspect}.",
    "My sister gave me this {thing}. {Aspect}, and {aspect2}. {Opinion}.",
    "About this {thing} I will be brief: {aspect}. {Opinion}.",
    "{Aspect}. I have had the {thing} for {weeks} weeks now. {Opinion}.",
    "For a {thing} at this price, {aspect}. {Opinion}, and {aspect2}.",
    # From here on for tests.
    "A {thing} is a {thing}, I thought. But {aspect}. {Opinion}!",
    "After {weeks} weeks with this {thing}: {aspect}, {aspect2}. {Opinion}.",
    "Ordered the {thing} on {day}. {Opinion}, because {aspect}.",
]
